/* Power limit and persistence: set by root alone, kept in a folder until the reboot. */
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void state_path(char *out, size_t size, handle device, const char *what)
{
    const char *folder = getenv("NVML_STANDIN_STATE"), *uuid = value(device, "uuid");
    folder = folder && *folder ? folder : "/run/nvml-standin";
    mkdir(folder, 0755);
    snprintf(out, size, "%s/%s.%s", folder, uuid ? uuid : "none", what);
}
static unsigned kept(handle device, const char *what, unsigned fallback)
{
    char path[8192];
    unsigned told = fallback;
    FILE *file;
    state_path(path, sizeof path, device, what);
    file = fopen(path, "r");
    if (file) {
        if (fscanf(file, "%u", &told) != 1) told = fallback;
        fclose(file);
    }
    return told;
}
static int keep(handle device, const char *what, unsigned wanted)
{
    char path[8192];
    FILE *file;
    state_path(path, sizeof path, device, what);
    file = fopen(path, "w");
    if (!file) return NO_PERMISSION;
    fprintf(file, "%u\n", wanted);
    return fclose(file) ? NO_PERMISSION : OK;
}

NUMBER(nvmlDeviceGetPowerUsage, "power_draw")
NUMBER(nvmlDeviceGetPowerManagementDefaultLimit, "power_default")
static int power_limit(handle device, unsigned *out)
{
    unsigned long long told;
    if (number(device, "power_limit", &told) && number(device, "power_default", &told))
        return NOT_SUPPORTED;
    *out = kept(device, "power", (unsigned)told);
    return OK;
}
int nvmlDeviceGetPowerManagementLimit(handle device, unsigned *out)
{
    ASK(device);
    return power_limit(device, out);
}
int nvmlDeviceGetEnforcedPowerLimit(handle device, unsigned *out)
{
    unsigned long long told;
    ASK(device);
    if (number(device, "power_enforced", &told)) return power_limit(device, out);
    *out = (unsigned)told;
    return OK;
}
int nvmlDeviceGetPowerManagementLimitConstraints(handle device, unsigned *least, unsigned *most)
{
    unsigned long long low, high;
    ASK(device);
    if (number(device, "power_min", &low) || number(device, "power_max", &high)) return NOT_SUPPORTED;
    *least = (unsigned)low, *most = (unsigned)high;
    return OK;
}
int nvmlDeviceSetPowerManagementLimit(handle device, unsigned wanted)
{
    unsigned long long low, high;
    ASK(device);
    if (number(device, "power_min", &low) || number(device, "power_max", &high)) return NOT_SUPPORTED;
    if (geteuid()) return NO_PERMISSION;
    if (wanted < low || wanted > high) return INVALID_ARGUMENT;
    return keep(device, "power", wanted);
}
int nvmlDeviceGetPersistenceMode(handle device, unsigned *out)
{
    unsigned long long told;
    ASK(device);
    if (number(device, "persistence", &told)) return NOT_SUPPORTED;
    *out = kept(device, "persistence", (unsigned)told);
    return OK;
}
int nvmlDeviceSetPersistenceMode(handle device, unsigned wanted)
{
    unsigned long long told;
    ASK(device);
    if (number(device, "persistence", &told)) return NOT_SUPPORTED;
    if (geteuid()) return NO_PERMISSION;
    return wanted > 1 ? INVALID_ARGUMENT : keep(device, "persistence", wanted);
}
