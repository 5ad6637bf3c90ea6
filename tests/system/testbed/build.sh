#!/bin/bash
# Build the image of the test hosts, from Debian packages and wheels alone. Prints its folder.
#
#   build.sh           build unless it is there, then print the folder
#   build.sh --where   only print the folder
#
# What stands in it afterwards:
#   rootfs/            a Debian 12 tree: what the container hosts run on, through an overlay
#   root.ext4          the same tree as a disk (sparse), vmlinuz and initrd.img: for QEMU
#   fakegpu.so         the QEMU plugin that makes GPUs of `-device edu`
#   id, id.pub         the ssh key that every host trusts
#   python.txt         version of the hosts' python3
#
# The folder is named by a hash over everything that goes into it, so a change here builds anew.
# It is built aside and renamed: an interrupted build leaves nothing that could be taken for whole.
# PROVISION_TESTBED_CACHE names the cache; 0.9 GB an image, 0.3 GB more with a snapshot.
# Needs root and the packages of packages.txt.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${PROVISION_TESTBED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/provision-testbed}
python=${PYTHON:-python3}
inputs=(build.sh initrd-init.sh fakegpu.c llama_server.py tiny_model.py tiny_folder.py
        fake_http.py fake_ollama.py fake_vllm.py stand-in.sh
        pins-product.txt pins-engine.txt pins-build.txt)
hash=$(cd "$here" && sha256sum "${inputs[@]}" | sha256sum | cut -c1-16)
image=$cache/$hash
suite=bookworm

if [[ ${1:-} == --where ]]; then
    echo "$image"
    exit
fi

mkdir -p "$cache"
exec 9> "$cache/lock"   # two test runs at once build once
flock 9
# What a killed build left, and images that nobody has asked for in a week.
find "$cache" -mindepth 1 -maxdepth 1 -type d \( -name '.building.*' -o -mtime +7 \) \
    ! -path "$image" -exec rm -rf --one-file-system {} +
if [[ -d $image ]]; then
    touch "$image"
    echo "$image"
    exit
fi

work=$(mktemp -d "$cache/.building.XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
root=$work/rootfs
scratch=$work/scratch
mkdir "$scratch"

say() { printf '%4ds  %s\n' "$SECONDS" "$*" >&2; }

packages=(
    systemd systemd-sysv dbus udev kmod           # a host
    openssh-server iproute2 iputils-ping curl ca-certificates procps pciutils less
    python3                                       # for Ansible and provision
    nginx-light libnginx-mod-http-js numactl      # what provision drives
    strace openssl                                # kills at every system call, certificates
    libgomp1                                      # what llama.cpp links
)

debian_tree() {
    # The machine's own source of Debian packages, so that a mirror or proxy set up there is used.
    local mirror
    mirror=${PROVISION_TESTBED_MIRROR:-$(
        apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $suite" |
            sort -u | head -n 1)}
    mmdebstrap --quiet --variant=minbase --mode=root --components=main \
        --include="$(IFS=,; echo "${packages[*]}")" \
        --aptopt='Acquire::Languages "none"' --dpkgopt=force-unsafe-io \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        "$suite" "$root" "$mirror" >&2
}

kernel_and_initrd() {
    # Unpacked, never installed: no initramfs-tools, no boot loader, only the modules of use here.
    local package version modules target module
    package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends:/ {print $2; exit}')
    version=${package#linux-image-}
    (
        cd "$scratch"
        chmod 777 .   # apt downloads as its own user
        apt-get download -q "$package" busybox-static > /dev/null
        dpkg -x linux-image*.deb kernel
        dpkg -x busybox*.deb busybox
    )
    cp "$scratch/kernel/boot/vmlinuz-$version" vmlinuz
    modules=$scratch/kernel/lib/modules/$version
    target=$root/lib/modules/$version
    mkdir -p "$target/kernel"
    cp "$modules"/modules.{builtin,builtin.modinfo,order} "$target/"
    for module in drivers/virtio drivers/net/virtio_net.ko drivers/net/net_failover.ko \
        net/core/failover.ko drivers/net/dummy.ko drivers/char/hw_random fs/overlayfs lib crypto \
        net/netfilter net/ipv4/netfilter; do
        if [[ -e $modules/kernel/$module ]]; then
            mkdir -p "$target/kernel/$(dirname "$module")"
            cp -a "$modules/kernel/$module" "$target/kernel/$(dirname "$module")/"
        fi
    done
    chroot "$root" depmod "$version"

    local initrd=$scratch/initrd
    mkdir -p "$initrd"/{bin,dev,newroot,modules}
    cp "$scratch/busybox/bin/busybox" "$initrd/bin/"
    install -m 755 "$here/initrd-init.sh" "$initrd/init"
    for module in virtio/virtio_ring virtio/virtio virtio/virtio_pci_modern_dev \
        virtio/virtio_pci_legacy_dev virtio/virtio_pci block/virtio_blk; do
        cp "$modules/kernel/drivers/$module.ko" "$initrd/modules/"
    done
    (cd "$initrd" && find . | cpio -o -H newc --quiet) > initrd.img
}

host_settings() {
    ssh-keygen -q -t ed25519 -N '' -C provision-testbed -f id
    install -d -m 700 "$root/root/.ssh"
    install -m 600 id.pub "$root/root/.ssh/authorized_keys"
    # No name service to wait for, no PAM session: half the time of a connection under emulation.
    printf 'UseDNS no\nUsePAM no\nMaxStartups 100\nMaxSessions 100\n' \
        > "$root/etc/ssh/sshd_config.d/testbed.conf"

    rm -f "$root/etc/hostname" "$root"/etc/update-motd.d/*   # named by systemd.hostname=
    echo '127.0.0.1 localhost' > "$root/etc/hosts"
    : > "$root/etc/fstab"
    # A machine id of its own per boot would make every boot a first boot.
    echo 0123456789abcdef0123456789abcdef > "$root/etc/machine-id"
    cat > "$root/etc/systemd/network/10-eth0.network" <<-'EOF'
	[Match]
	Name=eth0
	[Network]
	Address=10.0.2.15/24
	Gateway=10.0.2.2
	LinkLocalAddressing=no
	IPv6AcceptRA=no
	EOF
    mkdir -p "$root/etc/systemd/journald.conf.d" "$root/etc/systemd/system-generators"
    printf '[Journal]\nStorage=volatile\n' > "$root/etc/systemd/journald.conf.d/testbed.conf"

    # Generators and logind made a daemon-reload under emulation take 25-30 s; without, 2 s.
    local name
    for name in cryptsetup debug fstab getty gpt-auto hibernate-resume integritysetup rc-local \
        run system-update sysv veritysetup; do
        ln -sfn /dev/null "$root/etc/systemd/system-generators/systemd-$name-generator"
    done
    chroot "$root" systemctl -q enable systemd-networkd ssh nginx
    chroot "$root" systemctl -q set-default multi-user.target
    chroot "$root" systemctl -q mask \
        systemd-networkd-wait-online.service systemd-timesyncd.service systemd-firstboot.service \
        systemd-binfmt.service proc-sys-fs-binfmt_misc.{automount,mount} systemd-logind.service \
        modprobe@{configfs,drm,fuse,efi_pstore,dm_mod,loop}.service \
        sys-kernel-{debug,tracing,config}.mount sys-fs-fuse-connections.mount \
        systemd-pstore.service systemd-update-utmp{,-runlevel}.service \
        systemd-random-seed.service systemd-journal-flush.service \
        systemd-network-generator.service systemd-user-sessions.service getty.target \
        apt-daily{,-upgrade}.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
        fstrim.timer
}

wheels() {   # wheels TARGET PINS: unpacked for the hosts' python3, whatever runs here
    "$python" -m pip install -qq --disable-pip-version-check --root-user-action=ignore \
        --no-compile --no-deps --only-binary=:all: --python-version 3.11 \
        --implementation cp --abi cp311 --abi abi3 --abi none \
        --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 \
        --target "$1" -r "$2" >&2
}

engines() {
    wheels "$root/opt/llama-cpp" "$here/pins-engine.txt"
    "$python" -m pip install -qq --disable-pip-version-check --root-user-action=ignore \
        --no-deps --target "$scratch/gguf" -r "$here/pins-build.txt" >&2
    mkdir -p "$root/opt/models"
    PYTHONPATH=$scratch/gguf "$python" "$here/tiny_model.py" "$root/opt/models/tiny.gguf"
    install -m 755 "$here/llama_server.py" "$root/usr/local/bin/llama-server"

    # The other engines' stand-ins lie where nobody finds them until a test wants them.
    local kept=$root/usr/local/lib/testbed
    install -D -m 644 "$here/fake_http.py" "$kept/fake_http.py"
    install -m 755 "$here/fake_ollama.py" "$here/fake_vllm.py" "$kept/"
    PYTHONPATH=$scratch/gguf "$python" "$here/tiny_folder.py" "$kept/tiny"
    install -D -m 755 "$here/stand-in.sh" "$root/usr/local/sbin/stand-in"
}

product_dependencies() {
    # provision itself is copied in by each test run; only what it needs is here.
    wheels "$root/opt/provision/lib" "$here/pins-product.txt"
    rm -rf "$root/opt/provision/lib/bin"
    cat > "$root/usr/local/bin/provision" <<-'EOF'
	#!/bin/sh
	PYTHONPATH=/opt/provision/lib exec python3 -P -m provision "$@"
	EOF
    chmod 755 "$root/usr/local/bin/provision"
}

byte_code() {
    # Python's start-up and imports are what hurts under emulation. Unchecked: time stamps cannot
    # make it stale. Some of Debian's own test files do not compile, and need not.
    chroot "$root" python3 -m compileall -q --invalidation-mode unchecked-hash -j 2 \
        /usr/lib/python3.11 /usr/lib/python3 > /dev/null 2>&1 || true
    chroot "$root" python3 -m compileall -q --invalidation-mode unchecked-hash -j 2 \
        /opt/provision/lib /opt/llama-cpp /usr/local/lib/testbed >&2
}

disk() {
    # With a journal, as real hosts have: the power-loss tests rest on it.
    mke2fs -q -t ext4 -J size=16 -O ^metadata_csum -d "$root" \
        -E lazy_itable_init=0,root_owner=0:0,nodiscard root.ext4 3G >&2
}

say "Debian tree";              debian_tree
say "kernel and initrd";        kernel_and_initrd
say "settings";                 host_settings
say "engines and tiny model";   engines
say "what provision needs";     product_dependencies
say "byte code";                byte_code
say "disk";                     disk
gcc -O2 -Wall -Wextra -shared -fPIC -o fakegpu.so "$here/fakegpu.c"
chroot "$root" python3 --version > python.txt
rm -rf "$scratch"
mv "$work" "$image"
trap - EXIT
say "done"
echo "$image"
