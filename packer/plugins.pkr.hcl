# Alone in its file, because Packers that carry their plugins in them (Debian 12's 1.6.6) do not know the block.
# Below 1.14 `packer init` looks for the plugins where they no longer are.
packer {
  required_version = ">= 1.14.0"

  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = "~> 1.8"
    }
    ansible = {
      source  = "github.com/hashicorp/ansible"
      version = "~> 1.1"
    }
  }
}
