variable "region" {
  type        = string
  description = "Where the image is built."
  default     = "us-east-1"
}

variable "copy_to_regions" {
  type        = list(string)
  description = "Further regions that get a copy; each costs the storage of one."
  default     = []
}

variable "arch" {
  type        = string
  description = "amd64 or arm64."
  default     = "amd64"
}

variable "debian_release" {
  type        = string
  description = "The Debian below: 13 or 12. The worker runs on its Python, so the wheelhouse has to be made for the same one."
  default     = "13"
}

variable "wheelhouse" {
  type        = string
  description = "A directory of wheels and the requirements.txt that names each of them with its hash. The builder gets no Python package from elsewhere."
}

variable "worker_version" {
  type        = string
  description = "The version of aws-parallelizer in the wheelhouse."
}

variable "git_commit" {
  type        = string
  description = "The commit that the wheel was built from."
  default     = "unknown"
}

variable "packages" {
  type        = list(string)
  description = "Debian packages of your own, that your analysis programs need."
  default     = []
}

variable "own_roles" {
  type        = list(string)
  description = "Ansible roles of your own in ansible/roles/, applied last."
  default     = []
}

variable "deprecate_after" {
  type        = string
  description = "The age from which EC2 calls the image deprecated: its packages get no updates."
  default     = "4380h"
}

variable "subnet_id" {
  type        = string
  description = "The builder's subnet, with public addresses; empty = one of the default VPC."
  default     = ""
}

variable "source_owner" {
  type        = string
  description = "The account of the Debian image below: Debian's own."
  default     = "136693071363"
}

variable "manifest" {
  type        = string
  description = "The file, in a directory that is there, that is told the ids of the images."
}

variable "poll_seconds" {
  type        = number
  description = "Between two questions whether the image or a copy is ready; 240 are asked."
  default     = 15
}

# An EC2 that is not AWS's, and where its machines answer: for rehearsals.

variable "ec2_endpoint" {
  type    = string
  default = ""
}

variable "ssh_host" {
  type    = string
  default = ""
}

variable "ssh_port" {
  type    = number
  default = 22
}
