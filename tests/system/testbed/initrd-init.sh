#!/bin/busybox sh
# PID 1 of the initrd: load the disk's modules, mount it, hand over. Debian's cloud kernel has ext4
# built in and virtio_blk as a module.
for module in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk
do
    /bin/busybox insmod "/modules/$module.ko"
done
/bin/busybox mount -t devtmpfs devtmpfs /dev
tries=0
while [ ! -b /dev/vda ] && [ "$tries" -lt 200 ]; do
    /bin/busybox usleep 50000
    tries=$((tries + 1))
done
/bin/busybox mount -t ext4 -o rw,noatime /dev/vda /newroot &&
    exec /bin/busybox switch_root /newroot /sbin/init
/bin/busybox poweroff -f
