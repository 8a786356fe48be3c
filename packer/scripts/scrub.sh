#!/bin/sh
# The builder's last act: take away what belongs to one machine or to its maker. Whether it succeeded is judged by a program
# that knows nothing of this one. Deleting is not erasing: a snapshot copies blocks, so no secret may come here at all.
set -eu

scrub_access() {
    rm -f /etc/ssh/ssh_host_* /etc/dropbear/dropbear_*_host_key
    passwd --lock root >/dev/null
    # People's homes, wherever they are; a service's own folder is none.
    for home in /root /home/* $(awk -F: '$3 >= 1000 && $3 < 60000 { print $6 }' /etc/passwd); do
        [ -d "$home" ] || continue
        [ "$home" != / ] || continue
        # Keys, histories, credentials, caches: all hidden files but the skeleton's.
        find "$home" -xdev -mindepth 1 -maxdepth 1 -name '.*' \
            ! -name .bashrc ! -name .profile ! -name .bash_logout ! -name .ssh -exec rm -rf -- {} +
        # Packer looks once more into this one file when all is done.
        find "$home/.ssh" -xdev -mindepth 1 ! -name authorized_keys -delete 2>/dev/null || :
        [ ! -e "$home/.ssh/authorized_keys" ] || : > "$home/.ssh/authorized_keys"
    done
}

scrub_identity() {
    : > /etc/machine-id
    rm -f /var/lib/dbus/machine-id /var/lib/systemd/random-seed /var/lib/systemd/credential.secret
    rm -f /var/lib/dhcp/*.leases /var/lib/dhcpcd/*.lease* /var/lib/NetworkManager/*.lease
    rm -rf /run/systemd/netif/leases/* /var/lib/chrony/*
    if command -v cloud-init >/dev/null; then cloud-init clean --logs --seed; fi
    rm -rf /var/lib/cloud/instance /var/lib/cloud/instances /var/lib/cloud/data /var/lib/cloud/sem
    # cloud-init wrote these from the builder's metadata, and writes them anew.
    rm -f /etc/netplan/50-cloud-init.yaml /etc/network/interfaces.d/50-cloud-init
    rm -f /etc/hostname
}

scrub_traces() {
    if command -v journalctl >/dev/null; then
        journalctl --rotate >/dev/null 2>&1 || :
        journalctl --vacuum-time=1s >/dev/null 2>&1 || :
    fi
    rm -rf /var/log/journal/*
    find /var/log -xdev -type f \( -name '*.gz' -o -name '*.xz' -o -name '*.zst' -o -name '*.[0-9]' \) -delete
    find /var/log -xdev -type f -exec truncate --size=0 {} +
    # Else Debian 12 would note in it that the builder stops. The next boot makes it anew.
    rm -f /var/log/wtmp
    rm -f /var/lib/wtmpdb/* /var/lib/lastlog/*
    rm -f /var/lib/systemd/coredump/* /var/crash/* /var/mail/*
    rm -f /var/spool/cron/atjobs/* /var/spool/cron/crontabs/* /var/backups/*shadow*
    rm -rf /var/lib/sudo/lectured/* /var/lib/amazon/ssm/*
    [ ! -e /var/cache/debconf/passwords.dat ] || : > /var/cache/debconf/passwords.dat
    apt-get clean
    rm -rf /var/lib/apt/lists/*
    find /tmp /var/tmp -xdev -mindepth 1 -delete
}

# In one function, for /tmp and this file in it go while it runs. The builder's own shutdown timer is not called off: it lives
# in memory, and until the builder stops it may still be needed.
main() {
    scrub_access
    scrub_identity
    scrub_traces
    sync
}

main
exit 0
