"""What the keys and tokens of well-known services look like, by how each begins.

What `IN_RUNS` means, `patterns.Pattern` says.
"""

from __future__ import annotations

from image.audit.keys import Expressions

_NO_WORD = rb"(?![A-Za-z0-9_-])"
_WORD = rb"[A-Za-z0-9_-]"

IN_RUNS: Expressions = (
    ("github-token", rb"gh[pousr]_[A-Za-z0-9]{36,255}"),
    ("github-token", rb"github_pat_[A-Za-z0-9_]{22,255}"),
    (
        "gitlab-token",
        rb"gl(?:pat|dt|rt|rtr|cbt|ptt|ft|imt|agent|oas|soat|ffct)-[A-Za-z0-9_.-]{20,300}",
    ),
    ("gitlab-token", rb"GR1348941[A-Za-z0-9_-]{20,50}"),
    ("slack-token", rb"xox[abcdeoprs][-.][A-Za-z0-9-]{16,255}"),
    ("slack-token", rb"xapp-[0-9]-[A-Za-z0-9-]{13,255}"),
    ("slack-token", rb"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/]{20,100}"),
    ("google-key", rb"AIza[A-Za-z0-9_-]{35}" + _NO_WORD),
    ("google-key", rb"GOCSPX-[A-Za-z0-9_-]{28}"),
    ("google-token", rb"ya29\.[A-Za-z0-9_.-]{20,500}"),
    (
        "bearer-token",
        rb"earer[ \t]{1,4}(?=[A-Za-z._~+/-]{0,500}[0-9])[A-Za-z0-9._~+/-]{20,2000}",
    ),
    ("docker-token", rb'"auth"[ \t]{0,8}:[ \t\r\n]{0,8}"[A-Za-z0-9+/]{14,500}={0,2}"'),
    ("google-token", rb"1//0[0-9a-z][A-Za-z0-9_-]{40,300}"),
    ("azure-key", rb"8Q~(?<=[A-Za-z0-9_~.-]{3}8Q~)[A-Za-z0-9_~.-]{31,34}" + _NO_WORD),
    ("azure-key", rb"Key=(?:(?<=AccountKey=)|(?<=SharedAccessKey=))[A-Za-z0-9+/]{43,86}={1,2}"),
    ("azure-signature", rb"sig=(?<=[?&;]sig=)[A-Za-z0-9%+/]{43,100}"),
    ("npm-token", rb"npm_[A-Za-z0-9]{36}" + _NO_WORD),
    ("npm-token", rb"_authToken=[A-Za-z0-9/+_=-]{9,255}"),
    ("pypi-token", rb"pypi-AgE[A-Za-z0-9_-]{50,500}"),
    ("docker-token", rb"dckr_[po]at_[A-Za-z0-9_-]{20,100}"),
    ("stripe-key", rb"k_(?:live|test|prod)_[A-Za-z0-9]{16,255}"),
    ("stripe-key", rb"whsec_[A-Za-z0-9+/]{24,255}"),
    ("llm-key", rb"sk-(?:ant|proj|svcacct|admin|or)-[A-Za-z0-9_-]{20,255}"),
    ("llm-key", rb"T3BlbkFJ(?<=[A-Za-z0-9]{8}T3BlbkFJ)[A-Za-z0-9]{12,80}"),
    ("llm-key", rb"gsk_[A-Za-z0-9]{48,60}" + _NO_WORD),
    ("llm-key", rb"xai-[A-Za-z0-9]{70,90}" + _NO_WORD),
    ("llm-key", rb"pplx-[A-Za-z0-9]{40,60}" + _NO_WORD),
    ("llm-key", rb"r8_(?<![A-Za-z0-9]r8_)[A-Za-z0-9]{37,40}" + _NO_WORD),
    ("huggingface-token", rb"hf_[A-Za-z0-9]{34}" + _NO_WORD),
    ("sendgrid-key", rb"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    ("vault-token", rb"hv[sbr]\.[A-Za-z0-9_-]{24,500}"),
    ("digitalocean-token", rb"do[opr]_v1_[a-f0-9]{64}"),
    ("terraform-token", rb"\.atlasv1\.(?<=[A-Za-z0-9]{6}\.atlasv1\.)[A-Za-z0-9_=-]{60,80}"),
    ("telegram-token", rb":AA(?<=[0-9]{8}:AA)[A-Za-z0-9_-]{32,34}" + _NO_WORD),
    ("discord-token", rb"discord(?:app)?\.com/api/webhooks/[0-9]{16,20}/[A-Za-z0-9_-]{40,100}"),
    ("discord-token", rb"\.(?<=[A-Za-z0-9_-]{24}\.)[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{38}" + _NO_WORD),
    ("twilio-key", rb"SK(?<![A-Za-z0-9]SK)[a-f0-9]{32}" + _NO_WORD),
    ("mailgun-key", rb"key-(?<![A-Za-z0-9_-]key-)[a-f0-9]{32}" + _NO_WORD),
    ("mailchimp-key", rb"-us[0-9]{1,2}(?<=[a-f0-9]{8}-us[0-9])" + _NO_WORD),
    ("shopify-token", rb"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    ("square-token", rb"sq0(?:atp|csp)-[A-Za-z0-9_-]{22,43}"),
    ("square-token", rb"EAAA[A-Za-z0-9_-]{60}" + _NO_WORD),
    ("facebook-token", rb"EAACEdEose0cBA[A-Za-z0-9]{10,300}"),
    ("databricks-token", rb"dapi[a-f0-9]{32}"),
    ("atlassian-token", rb"AT[AC]TT3[A-Za-z0-9_=-]{28,255}"),
    ("atlassian-token", rb"ATBB(?<![A-Za-z0-9]ATBB)[A-Za-z0-9]{24,32}" + _NO_WORD),
    ("alibaba-key", rb"LTAI(?<![A-Za-z0-9]LTAI)[A-Za-z0-9]{16,20}" + _NO_WORD),
    ("tailscale-key", rb"tskey-[a-z]{3,10}-[A-Za-z0-9-]{20,100}"),
    ("grafana-token", rb"gl(?:sa|c)_[A-Za-z0-9+/_]{32,255}"),
    ("new-relic-key", rb"NR(?:AK|JS|II)-[A-Za-z0-9_-]{19,40}"),
    ("sentry-token", rb"sntry[su]_[A-Za-z0-9+/=_]{40,255}"),
    ("dynatrace-token", rb"dt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    ("postman-key", rb"PMAK-[a-f0-9]{24}-[a-f0-9]{34}"),
    ("linear-key", rb"lin_(?:api|oauth)_[A-Za-z0-9]{32,64}"),
    ("notion-token", rb"ntn_[A-Za-z0-9]{40,60}"),
    ("doppler-token", rb"dp\.[a-z]{2,5}\.[A-Za-z0-9]{40,44}"),
    ("pulumi-token", rb"pul-[a-f0-9]{40}"),
    ("rubygems-key", rb"rubygems_[a-f0-9]{48}"),
    ("fly-token", rb"fm2_[A-Za-z0-9+/=]{60,2000}"),
    ("heroku-key", rb"HRKU-[A-Za-z0-9_-]{36,70}"),
    ("supabase-token", rb"sb(?:p|_secret)_[A-Za-z0-9_]{31,60}"),
    ("planetscale-token", rb"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.-]{32,64}"),
    ("figma-token", rb"fig[do]_[A-Za-z0-9_-]{40,60}"),
    ("buildkite-token", rb"bk[ua]a_[a-f0-9]{40}"),
    ("circleci-token", rb"CCIPAT_[A-Za-z0-9_]{40,100}"),
    ("artifactory-key", rb"AKCp[0-9][A-Za-z0-9]{60,80}"),
    ("artifactory-key", rb"cmVmdGtuOjA[A-Za-z0-9]{30,60}"),
    (
        "json-web-token",
        rb"eyJ[A-Za-z0-9_-]{8,1000}\.eyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{8,800}",
    ),
    # An encrypted one has five parts.
    (
        "json-web-token",
        rb"eyJ[A-Za-z0-9_-]{8,500}\.[A-Za-z0-9_-]{0,700}(?:\.[A-Za-z0-9_-]{8,700}){3}",
    ),
)
