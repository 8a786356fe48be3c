"""Files that betray people, keys or one certain machine by where they lie.

An empty file betrays nothing. Paths are relative to the tree's root; a pattern without a slash is
that of a file's name in any folder. `*` stands for all but a slash, `**` for slashes too, `#` for
its number.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_KINDS: dict[str, tuple[str, ...]] = {
    "ssh-authorized-keys": ("authorized_keys", "authorized_keys2", "**/authorized_keys.d/*"),
    "ssh-host-key": ("ssh_host_*", "dropbear_*_host_key"),
    "ssh-file": ("**/.ssh/**", "id_rsa", "id_dsa", "id_ecdsa*", "id_ed25519*", "known_hosts*"),
    "history": (
        *(".*_history", ".*history", ".lesshst", ".viminfo", ".wget-hsts", ".sudo_as_admin*"),
        *("var/log/wtmp*", "var/log/btmp*", "var/log/lastlog", "var/lib/sudo/**", ".rediscli_*"),
        *("var/lib/wtmpdb/**", "var/lib/lastlog/**", ".zhistory", ".lesshsQ", "fish_history"),
        *(".Xauthority", ".ICEauthority", "recently-used.xbel"),
        *("**/.local/state/**/*hist*", "**/.local/share/nvim/**", "**/.local/share/mc/history"),
        *("var/spool/cron/crontabs/*", "var/spool/cron/atjobs/*", "var/mail/*", "var/spool/mail/*"),
    ),
    "credentials": (
        *("**/.aws/**", ".netrc", "_netrc", ".pgpass", ".my.cnf", ".mylogin.cnf", ".pypirc"),
        *(".boto", ".s3cfg", ".passwd-s3fs", "passwd-s3fs", "**/.docker/config.json", ".dockercfg"),
        *(".git-credentials", "**/.config/git/credentials", "**/.config/gcloud/**", "**/.azure/**"),
        *("**/.kube/**", "**/.config/gh/**", ".vault-token", "credentials.tfrc.json", ".htpasswd"),
        *("**/private-keys-v1.d/*", "secring.*", "*.p12", "*.pfx", "*.jks", "*.keystore"),
        *("*.kdbx", "*.ppk", ".env", "etc/ssl/private/**", "etc/apt/auth.conf*/**"),
        *("etc/apt/auth.conf", ".rhosts", ".smbcredentials", "**/.config/rclone/**", ".pip/**"),
        *("etc/krb5.keytab", "*.ovpn", "terraform.tfstate*", "*.tfvars", "**/.subversion/auth/**"),
        *("etc/NetworkManager/system-connections/*", "etc/wpa_supplicant/*.conf"),
        *("**/.m2/settings.xml", "**/.gradle/gradle.properties"),
        *("**/containers/auth.json", ".terraformrc", ".vault_pass*", "**/.gnupg/**"),
        *("pgpass.conf", "**/rclone/rclone.conf", "var/backups/*shadow*"),
        *("var/cache/debconf/passwords.dat", "**/.gem/credentials"),
        *("application_default_credentials.json", ".fetchmailrc", ".msmtprc", ".sops.yaml"),
    ),
    "machine-state": (
        *("var/lib/cloud/**", "run/cloud-init/**", "var/lib/systemd/random-seed"),
        *("var/lib/systemd/credential.secret", "var/lib/dhcp/*.lease*", "var/lib/dhcpcd/*"),
        *("var/lib/NetworkManager/*", "etc/iscsi/initiatorname.iscsi", "var/lib/amazon/ssm/**"),
        *("etc/udev/rules.d/70-persistent-net.rules", "var/lib/chrony/*", "var/lib/ntp/*"),
        *("var/log/cloud-init*", "var/log/journal/**", "run/log/journal/**", "*.journal"),
        *("var/log/**/*.gz", "var/log/**/*.xz", "var/log/**/*log*"),
        *("var/log/audit/**", "var/log/amazon/**", "var/lib/dhcp3/*", "var/lib/urandom/*"),
        *("**/.ansible/**", "**/ansible-tmp-*/**", "**/.cache/**"),
    ),
    "core-file": ("core.#", "var/lib/systemd/coredump/*", "var/crash/*"),
    "memory": ("swapfile", "swap.img", "hibfile", "hiberfil.sys"),
}

_MACHINE_IDS = ("etc/machine-id", "var/lib/dbus/machine-id")
_NO_MACHINE = (b"", b"uninitialized")  # what systemd takes for a first boot


class _Named(NamedTuple):
    kind: str
    expression: re.Pattern[str]


def _translated(pattern: str) -> str:
    found = re.escape(pattern)
    found = found.replace(r"\*\*/", "(?:.*/)?").replace(r"\*\*", ".+").replace(r"\*", "[^/]*")
    found = found.replace(r"\#", "[0-9]+")
    return found if "/" in pattern else f"(?:.*/)?{found}"


# One expression a kind: thousands of paths are looked at by each.
_NAMED = tuple(
    _Named(kind, re.compile("|".join(map(_translated, patterns)), re.DOTALL))
    for kind, patterns in _KINDS.items()
)


def kinds(path: str) -> list[str]:
    """What the file's place betrays, if it holds anything."""
    return [named.kind for named in _NAMED if named.expression.fullmatch(path)]


def names_a_machine(path: str, head: bytes) -> bool:
    """Whether this is a machine's id, by the beginning of the file."""
    return path in _MACHINE_IDS and head.strip() not in _NO_MACHINE
