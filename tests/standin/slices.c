/* MIG devices, and the processes on GPUs and slices. */
#include "table.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_MIG = 7, MOST_PROCESSES = 256 };
#define NOT_AVAILABLE 0xffffffffffffffffULL
#define NO_INSTANCE 0xffffffffU
typedef struct { unsigned pid; unsigned long long used; unsigned gi, ci; } process_info;
typedef struct { process_info first; unsigned long long protected_memory; } long_process_info;

int nvmlDeviceGetMigMode(handle device, unsigned *current, unsigned *pending)
{
    unsigned long long told;
    ASK(device);
    if (number(device, "mig", &told)) return NOT_SUPPORTED;
    *current = (unsigned)told;
    *pending = (unsigned)number_or(device, "mig_pending", told);
    return OK;
}
int nvmlDeviceGetMaxMigDeviceCount(handle device, unsigned *out)
{
    ASK(device);
    if (!value(device, "mig")) return NOT_SUPPORTED;
    *out = MOST_MIG;
    return OK;
}
int nvmlDeviceGetMigDeviceHandleByIndex(handle device, unsigned index, handle *out)
{
    ASK(device);
    for (const line *at = NULL; (at = next_line(at, "mig", device));)
        if (number_or(at, "slot", 0) == index) { *out = (handle)at; return OK; }
    return NOT_FOUND;
}
int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle device, handle *out)
{
    ASK(device);
    *out = standin_gpus[device->gpu];
    return OK;
}
NUMBER(nvmlDeviceGetGpuInstanceId, "gi")
NUMBER(nvmlDeviceGetComputeInstanceId, "ci")

/* Whether `0,GPU-abc` names the GPU. */
static int names_gpu(const char *list, handle device)
{
    char text[1024], index[16];
    const char *uuid = value(device, "uuid");
    snprintf(text, sizeof text, "%s", list);
    snprintf(index, sizeof index, "%d", device->gpu);
    for (char *rest = text, *part; (part = strsep(&rest, ","));)
        if (!strcmp(part, index) || (uuid && !strcmp(part, uuid))) return 1;
    return 0;
}
static int environment_names(int pid, const char *variable, handle device)
{
    static char text[1 << 17];
    char path[64];
    size_t length = strlen(variable);
    snprintf(path, sizeof path, "/proc/%d/environ", pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    if (size <= 0) return 0;
    text[size] = '\0';
    for (char *at = text; at < text + size; at += strlen(at) + 1)
        if (!strncmp(at, variable, length) && at[length] == '=') return names_gpu(at + length + 1, device);
    return 0;
}
static unsigned scan(handle device, const char *variable, process_info *out, unsigned count)
{
    DIR *folder = variable ? opendir("/proc") : NULL;
    for (struct dirent *one; folder && (one = readdir(folder)) && count < MOST_PROCESSES;) {
        int pid = atoi(one->d_name);
        if (pid <= 0 || pid == getpid() || !environment_names(pid, variable, device)) continue;
        out[count++] = (process_info){(unsigned)pid, 256ULL << 20, NO_INSTANCE, NO_INSTANCE};
    }
    if (folder) closedir(folder);
    return count;
}
/* A slice lists its own processes, a GPU those of its slices too. */
static int listed(const line *at, handle device, int graphics)
{
    const char *kind = value(at, "kind");
    if ((int)number_or(at, "gpu", 999) != device->gpu) return 0;
    if ((kind && !strcmp(kind, "graphics")) != graphics) return 0;
    if (!is(device, "mig")) return 1;
    return number_or(at, "gi", NO_INSTANCE) == number_or(device, "gi", 0)
        && number_or(at, "ci", NO_INSTANCE) == number_or(device, "ci", 0);
}
static unsigned collect(handle device, int graphics, process_info *out)
{
    unsigned count = 0;
    for (int index = 0; index < standin_line_count; index++) {
        const line *at = &standin_lines[index];
        unsigned long long mib;
        if (is(at, "scan") && !graphics && !is(device, "mig")) {
            count = scan(device, value(at, "variable"), out, count);
        } else if (is(at, "process") && count < MOST_PROCESSES && listed(at, device, graphics)) {
            out[count].pid = (unsigned)number_or(at, "pid", 0);
            out[count].used = number(at, "memory_mib", &mib) ? NOT_AVAILABLE : mib << 20;
            out[count].gi = (unsigned)number_or(at, "gi", NO_INSTANCE);
            out[count++].ci = (unsigned)number_or(at, "ci", NO_INSTANCE);
        }
    }
    return count;
}
static int list(handle device, int graphics, unsigned *count, void *out, int longer)
{
    static process_info all[MOST_PROCESSES];
    memset(all, 0, sizeof all);
    unsigned found = collect(device, graphics, all), room = *count;
    *count = found;
    if (found > room || (found && !out)) return INSUFFICIENT_SIZE;
    for (unsigned at = 0; at < found; at++) {
        if (longer) ((long_process_info *)out)[at] = (long_process_info){all[at], 0};
        else ((process_info *)out)[at] = all[at];
    }
    return OK;
}
static int longer(void) { return number_or(driver(), "process_bytes", 24) == 32; }

int nvmlDeviceGetComputeRunningProcesses_v3(handle device, unsigned *count, void *out)
{
    ASK(device);
    return list(device, 0, count, out, longer());
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(handle device, unsigned *count, void *out)
{
    ASK(device);
    return list(device, 1, count, out, longer());
}
int nvmlDeviceGetComputeRunningProcesses_v2(handle device, unsigned *count, void *out)
{
    ASK(device);
    return list(device, 0, count, out, 0);
}
int nvmlDeviceGetGraphicsRunningProcesses_v2(handle device, unsigned *count, void *out)
{
    ASK(device);
    return list(device, 1, count, out, 0);
}
