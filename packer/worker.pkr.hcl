locals {
  now  = timestamp()
  name = "aws-parallelizer-${var.worker_version}-debian-${var.debian_release}-${var.arch}-${formatdate("YYYYMMDD-hhmmss", local.now)}"

  instance_type = { amd64 = "t3.small", arm64 = "t4g.small" }

  tags = {
    "Name"                           = local.name
    "parallelizer:image"             = "worker"
    "parallelizer:arch"              = var.arch
    "parallelizer:debian-release"    = var.debian_release
    "parallelizer:worker-version"    = var.worker_version
    "parallelizer:git-commit"        = var.git_commit
    "parallelizer:source-image"      = "{{ .SourceAMI }}"
    "parallelizer:source-image-name" = "{{ .SourceAMIName }}"
  }

  run_tags = {
    "Name"               = "aws-parallelizer image builder"
    "parallelizer:image" = "builder"
  }
}

source "amazon-ebs" "worker" {
  region              = var.region
  custom_endpoint_ec2 = var.ec2_endpoint

  # Private: nobody is named that may launch it.
  ami_name        = local.name
  ami_description = "aws-parallelizer ${var.worker_version} worker on Debian ${var.debian_release} (${var.arch})"
  ami_regions     = var.copy_to_regions
  tags            = local.tags
  snapshot_tags   = local.tags

  source_ami_filter {
    filters = {
      name                = "debian-${var.debian_release}-${var.arch}-*"
      root-device-type    = "ebs"
      virtualization-type = "hvm"
    }
    owners      = [var.source_owner]
    most_recent = true
  }

  instance_type     = local.instance_type[var.arch]
  subnet_id         = var.subnet_id
  run_tags          = local.run_tags
  run_volume_tags   = local.run_tags
  user_data_file    = "${path.root}/builder.cloud-config"
  shutdown_behavior = "terminate"

  # Encrypted from its first block on, so that no copy in plain text ever was; EC2 makes what comes of an encrypted volume
  # (the snapshot, its copies in other regions) encrypted too. The KMS key is the account's default for EBS, which no other
  # account can use.
  launch_block_device_mappings {
    device_name           = "/dev/xvda"
    encrypted             = true
    volume_type           = "gp3"
    volume_size           = 8
    iops                  = 3000
    throughput            = 125
    delete_on_termination = true
  }

  ssh_username              = "admin"
  ssh_host                  = var.ssh_host
  ssh_port                  = var.ssh_port
  ssh_timeout               = "10m"
  ssh_clear_authorized_keys = true

  aws_polling {
    delay_seconds = var.poll_seconds
    max_attempts  = 240
  }

  # >>> packer 1.7+
  temporary_key_pair_type                   = "ed25519"
  temporary_security_group_source_public_ip = true
  imds_support                              = "v2.0"
  deprecate_at                              = timeadd(local.now, var.deprecate_after)
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
  # <<< packer 1.7+
}

build {
  sources = ["source.amazon-ebs.worker"]

  # cloud-init installs nothing, but what it writes while it still runs may be in Ansible's way.
  provisioner "shell" {
    inline = ["if [ -d /run/systemd/system ] && command -v cloud-init >/dev/null; then timeout 300 cloud-init status --wait >/dev/null || true; fi"]
  }

  # use_proxy: the proxy of older Packers speaks only SSH algorithms that today's OpenSSH refuses.
  provisioner "ansible" {
    playbook_file    = "${path.root}/../ansible/site.yml"
    user             = "admin"
    use_proxy        = false
    ansible_env_vars = ["ANSIBLE_CONFIG=${path.root}/../ansible/ansible.cfg"]
    extra_arguments = [
      "--extra-vars", jsonencode({
        wheelhouse     = abspath(var.wheelhouse)
        worker_version = var.worker_version
        base_own       = var.packages
        own_roles      = var.own_roles
      }),
    ]
  }

  # For the list of the image's parts.
  provisioner "shell" {
    inline = ["dpkg-query --show --showformat '$${Package}\\t$${Version}\\t$${Architecture}\\n' > /tmp/packages"]
  }

  provisioner "file" {
    direction   = "download"
    source      = "/tmp/packages"
    destination = "${var.manifest}.packages"
  }

  # Last, and nothing after it: what comes later would leave traces that nobody removes.
  provisioner "shell" {
    execute_command = "chmod +x '{{ .Path }}'; sudo -n {{ .Vars }} '{{ .Path }}'"
    script          = "${path.root}/scripts/scrub.sh"
  }

  post-processor "manifest" {
    output     = var.manifest
    strip_path = true
    custom_data = {
      arch           = var.arch
      debian_release = var.debian_release
      worker_version = var.worker_version
      git_commit     = var.git_commit
    }
  }
}
