/* A QEMU "TCG plugin" that turns the stock device class "edu" (1234:11e8, class 00ff) into an
 * NVIDIA 3D controller, so that a guest's PCI bus shows GPUs. Only the ids are NVIDIA's: there is
 * no driver for it. Load before any `-device edu`:
 *
 *   -plugin fakegpu.so,ven=10de,dev=2330,class=0302
 *
 * It works because QEMU exports its QOM symbols to plugins. The ids are found by their pattern
 * within the class structure, so no QEMU header is needed.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

extern void *object_class_by_name(const char *);

enum { CLASS_BYTES_SEARCHED = 1024 };

static uint16_t hex_option(int argc, char **argv, const char *name, uint16_t fallback)
{
    size_t length = strlen(name);
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], name, length) && argv[i][length] == '=') {
            return (uint16_t)strtol(argv[i] + length + 1, NULL, 16);
        }
    }
    return fallback;
}

__attribute__((visibility("default")))
int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
    (void)id;
    (void)info;
    /* The order within PCIDeviceClass: vendor, device, revision (a byte), class. */
    const uint16_t edu[2] = {0x1234, 0x11e8};
    const uint16_t gpu[2] = {hex_option(argc, argv, "ven", 0x10de),
                             hex_option(argc, argv, "dev", 0x2330)};
    const uint16_t pci_class = hex_option(argc, argv, "class", 0x0302);
    const uint8_t revision = 0xa1;

    uint8_t *klass = object_class_by_name("edu");
    if (!klass) {
        fprintf(stderr, "fakegpu: this QEMU has no device class \"edu\"\n");
        return -1;
    }
    for (int at = 0; at < CLASS_BYTES_SEARCHED; at += 2) {
        if (!memcmp(klass + at, edu, sizeof edu)) {
            memcpy(klass + at, gpu, sizeof gpu);
            memcpy(klass + at + 4, &revision, sizeof revision);
            memcpy(klass + at + 6, &pci_class, sizeof pci_class);
            return 0;
        }
    }
    fprintf(stderr, "fakegpu: the ids of \"edu\" were not found\n");
    return -1;
}
