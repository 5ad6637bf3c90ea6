/* A stand-in for the NVIDIA driver's libnvidia-ml.so.1, for machines without an NVIDIA GPU.
 *
 * It answers from a table: the file named by NVML_STANDIN_TABLE, else /etc/nvml-standin.tsv. Without
 * a table nvmlInit says that the driver is not loaded. A line is a word and key=value pairs between
 * tabs; `#` begins a comment; GPUs are counted from 0 in the order of their lines, which is NVML's
 * index order here. A key that is left out makes the call that asks for it NOT_SUPPORTED.
 *
 *   driver   version=580.95.05  cuda=13000
 *   gpu      uuid=GPU-...  bus=00000000:17:00.0  name=...  memory_mib=  used_mib=  reserved_mib=
 *            capability=9.0  minor=0  serial=  pci_id=0x233010de  cpus=0-15,32-47 (CPU affinity)
 *            power_min=  power_max=  power_default=  power_limit=  power_draw= (all milliwatt)
 *            persistence=0|1  mig=0|1
 *   link     a=0  b=1  ancestor=0|10|20|30|40|50  p2p=0..6  nvlinks=4
 *   switch   gpu=0  links=18            all GPUs with a switch line share one NVSwitch fabric
 *   mig      gpu=0  slot=2  uuid=MIG-...  name=NVIDIA H100 MIG 1g.10gb  memory_mib=9984
 *   process  gpu=0  pid=4711  memory_mib=2048  kind=compute|graphics
 *   scan     variable=CUDA_VISIBLE_DEVICES     processes whose environment names a GPU by UUID or
 *                                               index are listed as its compute processes
 *   error    call=nvmlDeviceGetUUID  gpu=0|*  code=3     that call answers this nvmlReturn_t
 *
 * Power limit and persistence can be set, by root alone and within the range. New values are kept
 * in the folder NVML_STANDIN_STATE, else /run/nvml-standin, so that other processes read them back
 * and a reboot forgets them, as it does with the driver's.
 *
 * Written after the call and structure names that nvidia-ml-py uses; NVIDIA's code is not in it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    OK = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4, NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9, UNINITIALIZED = 1,
    MOST_GPUS = 64, MOST_LINES = 4096, MOST_LINKS = 18, MOST_MIG = 8, MOST_PROCESSES = 256
};
#define NOT_AVAILABLE 0xffffffffffffffffULL

/* A handle is the address of its line: a gpu line, or a mig line. */
typedef struct line { char *word; char *pairs; int gpu; } line;
typedef line *handle;
typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char text[32]; } pci_info;
typedef struct { unsigned long long total, free, used; } memory_v1;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } memory_v2;
typedef struct { unsigned pid; unsigned long long used; unsigned gi, ci; } process_info;

static line lines[MOST_LINES];
static handle gpus[MOST_GPUS];
static int line_count, gpu_count, initialised;
static char *table;

/* The value of a key, in a buffer of its own for each of the last calls; NULL when left out. */
static const char *value(const line *at, const char *key)
{
    static char buffers[8][256];
    static int turn;
    size_t length = strlen(key);
    for (const char *pair = at->pairs; pair && *pair; pair = strchr(pair, '\t')) {
        pair += strspn(pair, "\t");
        if (!strncmp(pair, key, length) && pair[length] == '=') {
            char *out = buffers[turn++ % 8];
            snprintf(out, 256, "%.*s", (int)strcspn(pair + length + 1, "\t"), pair + length + 1);
            return out;
        }
    }
    return NULL;
}

static int number(const line *at, const char *key, unsigned long long *out)
{
    const char *text = value(at, key);
    if (!text || !*text) return NOT_SUPPORTED;
    *out = strtoull(text, NULL, 0);
    return OK;
}

static unsigned long long number_or(const line *at, const char *key, unsigned long long fallback)
{
    unsigned long long out;
    return number(at, key, &out) ? fallback : out;
}

/* What an error line demands of this call; first of all calls must come after nvmlInit. */
static int refused(const char *call, handle device)
{
    if (!initialised) return UNINITIALIZED;
    for (int at = 0; at < line_count; at++) {
        const char *named, *gpu;
        if (strcmp(lines[at].word, "error")) continue;
        named = value(&lines[at], "call");
        gpu = value(&lines[at], "gpu");
        if (!named || strcmp(named, call)) continue;
        if (!gpu || !strcmp(gpu, "*") || (device && device->gpu == atoi(gpu)))
            return (int)number_or(&lines[at], "code", NOT_SUPPORTED);
    }
    return OK;
}
#define ASK(device) do { int no = refused(__func__, device); if (no) return no; } while (0)

static int read_table(void)
{
    const char *path = getenv("NVML_STANDIN_TABLE");
    FILE *file = fopen(path && *path ? path : "/etc/nvml-standin.tsv", "r");
    size_t size = 0;
    line_count = gpu_count = 0;
    free(table);
    table = NULL;
    if (!file || getdelim(&table, &size, '\0', file) < 0) {
        if (file) fclose(file);
        return DRIVER_NOT_LOADED;
    }
    fclose(file);
    for (char *rest = table, *row; (row = strsep(&rest, "\n")) && line_count < MOST_LINES;) {
        line *at = &lines[line_count];
        if (!*row || *row == '#') continue;
        at->word = row;
        at->pairs = strchr(row, '\t');
        if (at->pairs) *at->pairs++ = '\0';
        at->gpu = -1;
        if (!strcmp(row, "gpu") && gpu_count < MOST_GPUS) {
            at->gpu = gpu_count;
            gpus[gpu_count++] = at;
        } else if (!strcmp(row, "mig")) {
            at->gpu = (int)number_or(at, "gpu", 0);
        }
        line_count++;
    }
    return OK;
}

static int put(char *out, unsigned size, const char *text)
{
    if (!text) return NOT_SUPPORTED;
    if (strlen(text) >= size) return INSUFFICIENT_SIZE;
    strcpy(out, text);
    return OK;
}

/* --- the library and its GPUs ----------------------------------------------------------------- */

int nvmlInitWithFlags(unsigned flags)
{
    int no = read_table();
    (void)flags;
    if (no) return no;
    initialised = 1;
    no = refused(__func__, NULL);
    if (no) initialised = 0;
    return no;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { initialised = 0; return OK; }
const char *nvmlErrorString(int code)
{
    return code == 18 ? "Driver/library version mismatch" : code ? "Stand-in error" : "Success";
}

static const line *driver(void)
{
    static const line none = {"driver", NULL, -1};
    for (int at = 0; at < line_count; at++)
        if (!strcmp(lines[at].word, "driver")) return &lines[at];
    return &none;
}
int nvmlSystemGetDriverVersion(char *out, unsigned size)
{
    ASK(NULL);
    return put(out, size, value(driver(), "version"));
}
int nvmlSystemGetCudaDriverVersion_v2(int *out)
{
    ASK(NULL);
    unsigned long long told;
    int no = number(driver(), "cuda", &told);
    if (!no) *out = (int)told;
    return no;
}
int nvmlDeviceGetCount_v2(unsigned *out) { ASK(NULL); *out = (unsigned)gpu_count; return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, handle *out)
{
    if (index >= (unsigned)gpu_count) return INVALID_ARGUMENT;
    ASK(gpus[index]);
    *out = gpus[index];
    return OK;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, handle *out)
{
    ASK(NULL);
    for (int at = 0; at < line_count; at++) {
        const char *told = lines[at].gpu < 0 ? NULL : value(&lines[at], "uuid");
        if (told && !strcmp(told, uuid)) { *out = &lines[at]; return OK; }
    }
    return NOT_FOUND;
}
static int parse_bus(const char *text, unsigned part[4])
{
    return text && sscanf(text, "%x:%x:%x.%x", part, part + 1, part + 2, part + 3) == 4;
}
int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, handle *out)
{
    unsigned wanted[4], here[4];
    ASK(NULL);
    if (!parse_bus(bus, wanted)) return INVALID_ARGUMENT;
    for (int at = 0; at < gpu_count; at++) {
        if (parse_bus(value(gpus[at], "bus"), here) && !memcmp(wanted, here, sizeof here)) {
            *out = gpus[at];
            return OK;
        }
    }
    return NOT_FOUND;
}

/* --- one GPU ---------------------------------------------------------------------------------- */

#define TEXT(call, key) \
    int call(handle device, char *out, unsigned size) { ASK(device); return put(out, size, value(device, key)); }
TEXT(nvmlDeviceGetUUID, "uuid")
TEXT(nvmlDeviceGetName, "name")
TEXT(nvmlDeviceGetSerial, "serial")

#define NUMBER(call, key) \
    int call(handle device, unsigned *out) \
    { \
        unsigned long long told; \
        int no; \
        ASK(device); \
        no = number(device, key, &told); \
        if (!no) *out = (unsigned)told; \
        return no; \
    }
NUMBER(nvmlDeviceGetMinorNumber, "minor")
NUMBER(nvmlDeviceGetPowerUsage, "power_draw")
NUMBER(nvmlDeviceGetPowerManagementDefaultLimit, "power_default")

static int fill_pci(const char *text, unsigned id, pci_info *out)
{
    unsigned part[4];
    memset(out, 0, sizeof *out);
    if (!parse_bus(text, part)) return NOT_SUPPORTED;
    out->domain = part[0], out->bus = part[1], out->device = part[2], out->id = id;
    snprintf(out->text, sizeof out->text, "%08X:%02X:%02X.%X", part[0], part[1], part[2], part[3]);
    snprintf(out->legacy, sizeof out->legacy, "%04X:%02X:%02X.%X", part[0] & 0xffff, part[1] & 0xff,
             part[2] & 0xff, part[3] & 0xf);
    return OK;
}
int nvmlDeviceGetPciInfo_v3(handle device, pci_info *out)
{
    ASK(device);
    return fill_pci(value(device, "bus"), (unsigned)number_or(device, "pci_id", 0), out);
}
int nvmlDeviceGetMemoryInfo_v2(handle device, memory_v2 *out)
{
    unsigned long long total;
    ASK(device);
    if (number(device, "memory_mib", &total)) return NOT_SUPPORTED;
    out->total = total << 20;
    out->used = number_or(device, "used_mib", 0) << 20;
    out->reserved = number_or(device, "reserved_mib", 0) << 20;
    out->free = out->total - out->used - out->reserved;
    return OK;
}
int nvmlDeviceGetMemoryInfo(handle device, memory_v1 *out)
{
    unsigned long long total;
    ASK(device);
    if (number(device, "memory_mib", &total)) return NOT_SUPPORTED;
    out->total = total << 20;
    out->used = (number_or(device, "used_mib", 0) + number_or(device, "reserved_mib", 0)) << 20;
    out->free = out->total - out->used;
    return OK;
}
int nvmlDeviceGetCudaComputeCapability(handle device, int *major, int *minor)
{
    const char *text;
    ASK(device);
    text = value(device, "capability");
    return text && sscanf(text, "%d.%d", major, minor) == 2 ? OK : NOT_SUPPORTED;
}
int nvmlDeviceGetCpuAffinity(handle device, unsigned words, unsigned long *out)
{
    const char *text;
    ASK(device);
    text = value(device, "cpus");
    if (!text) return NOT_SUPPORTED;
    memset(out, 0, words * sizeof *out);
    for (char *rest = (char *)text, *part; (part = strsep(&rest, ","));) {
        unsigned first, last;
        int read = sscanf(part, "%u-%u", &first, &last);
        if (read < 1) continue;
        for (unsigned cpu = first; cpu <= (read > 1 ? last : first); cpu++) {
            if (cpu / 64 >= words) return INSUFFICIENT_SIZE;
            out[cpu / 64] |= 1UL << cpu % 64;
        }
    }
    return OK;
}

/* --- settings --------------------------------------------------------------------------------- */

static void state_path(char *out, size_t size, handle device, const char *what)
{
    const char *folder = getenv("NVML_STANDIN_STATE"), *uuid = value(device, "uuid");
    folder = folder && *folder ? folder : "/run/nvml-standin";
    mkdir(folder, 0755);
    snprintf(out, size, "%s/%s.%s", folder, uuid ? uuid : "none", what);
}
static unsigned kept(handle device, const char *what, unsigned fallback)
{
    char path[512];
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
    char path[512];
    FILE *file;
    state_path(path, sizeof path, device, what);
    file = fopen(path, "w");
    if (!file) return NO_PERMISSION;
    fprintf(file, "%u\n", wanted);
    return fclose(file) ? NO_PERMISSION : OK;
}
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
    ASK(device);
    return power_limit(device, out);
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

/* --- between GPUs ----------------------------------------------------------------------------- */

static const line *link_between(handle a, handle b)
{
    for (int at = 0; at < line_count; at++) {
        if (strcmp(lines[at].word, "link")) continue;
        int one = (int)number_or(&lines[at], "a", 999), two = (int)number_or(&lines[at], "b", 999);
        if ((one == a->gpu && two == b->gpu) || (one == b->gpu && two == a->gpu)) return &lines[at];
    }
    return NULL;
}
static unsigned switch_links(handle device)
{
    for (int at = 0; at < line_count; at++)
        if (!strcmp(lines[at].word, "switch") && (int)number_or(&lines[at], "gpu", 999) == device->gpu)
            return (unsigned)number_or(&lines[at], "links", 0);
    return 0;
}
static unsigned direct_links(handle a, handle b)
{
    const line *found = a == b ? NULL : link_between(a, b);
    return found ? (unsigned)number_or(found, "nvlinks", 0) : 0;
}
int nvmlDeviceGetTopologyCommonAncestor(handle a, handle b, unsigned *out)
{
    const line *found;
    unsigned long long told;
    ASK(a);
    found = link_between(a, b);
    if (!found || number(found, "ancestor", &told)) return NOT_SUPPORTED;
    *out = (unsigned)told;
    return OK;
}
int nvmlDeviceGetP2PStatus(handle a, handle b, unsigned index, unsigned *out)
{
    const line *found;
    unsigned long long told;
    ASK(a);
    found = link_between(a, b);
    if (index == 2) {
        *out = direct_links(a, b) || (switch_links(a) && switch_links(b)) ? 0 : 5;
        return OK;
    }
    if (!found || number(found, "p2p", &told)) return NOT_SUPPORTED;
    *out = (unsigned)told;
    return OK;
}

/* The far end of a link: 0 a GPU, 2 a switch, 1 none (the link is down), -1 no such link. Direct
 * links are numbered first, peer by peer; GPUs without any link do not know the question. */
static int far_end(handle device, unsigned link, handle *peer)
{
    unsigned seen = 0;
    for (int at = 0; at < gpu_count; at++) {
        seen += direct_links(device, gpus[at]);
        if (link < seen) { *peer = gpus[at]; return 0; }
    }
    seen += switch_links(device);
    if (link < seen) return 2;
    return !seen ? -2 : link < MOST_LINKS ? 1 : -1;
}
static int far_error(int end) { return end == -1 ? INVALID_ARGUMENT : end == -2 ? NOT_SUPPORTED : OK; }
int nvmlDeviceGetNvLinkState(handle device, unsigned link, unsigned *out)
{
    handle peer;
    ASK(device);
    int end = far_end(device, link, &peer);
    *out = end == 0 || end == 2;
    return far_error(end);
}
int nvmlDeviceGetNvLinkRemoteDeviceType(handle device, unsigned link, unsigned *out)
{
    handle peer;
    ASK(device);
    int end = far_end(device, link, &peer);
    *out = end == 1 ? 0xff : (unsigned)end;
    return far_error(end);
}
int nvmlDeviceGetNvLinkRemotePciInfo_v2(handle device, unsigned link, pci_info *out)
{
    handle peer;
    ASK(device);
    int end = far_end(device, link, &peer);
    if (end == 0) return fill_pci(value(peer, "bus"), 0, out);
    return end == 2 ? fill_pci("0000:05:00.0", 0, out) : far_error(end) ? far_error(end) : NOT_FOUND;
}

/* --- MIG and processes ------------------------------------------------------------------------ */

int nvmlDeviceGetMigMode(handle device, unsigned *current, unsigned *pending)
{
    unsigned long long told;
    ASK(device);
    if (number(device, "mig", &told)) return NOT_SUPPORTED;
    *current = *pending = (unsigned)told;
    return OK;
}
int nvmlDeviceGetMaxMigDeviceCount(handle device, unsigned *out)
{
    ASK(device);
    *out = MOST_MIG;
    return OK;
}
int nvmlDeviceGetMigDeviceHandleByIndex(handle device, unsigned index, handle *out)
{
    ASK(device);
    for (int at = 0; at < line_count; at++) {
        if (strcmp(lines[at].word, "mig") || lines[at].gpu != device->gpu) continue;
        if (number_or(&lines[at], "slot", 0) == index) { *out = &lines[at]; return OK; }
    }
    return NOT_FOUND;
}
int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle device, handle *out)
{
    ASK(device);
    *out = gpus[device->gpu];
    return OK;
}

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
static unsigned collect(handle device, int graphics, process_info *out)
{
    unsigned count = 0;
    for (int at = 0; at < line_count; at++) {
        if (!strcmp(lines[at].word, "process") && count < MOST_PROCESSES) {
            const char *kind = value(&lines[at], "kind");
            unsigned long long mib;
            if ((int)number_or(&lines[at], "gpu", 999) != device->gpu) continue;
            if ((kind && !strcmp(kind, "graphics")) != graphics) continue;
            out[count].pid = (unsigned)number_or(&lines[at], "pid", 0);
            out[count].used = number(&lines[at], "memory_mib", &mib) ? NOT_AVAILABLE : mib << 20;
            count++;
        } else if (!strcmp(lines[at].word, "scan") && !graphics) {
            const char *variable = value(&lines[at], "variable");
            DIR *folder = variable ? opendir("/proc") : NULL;
            for (struct dirent *one; folder && (one = readdir(folder)) && count < MOST_PROCESSES;) {
                int pid = atoi(one->d_name);
                if (pid <= 0 || pid == getpid() || !environment_names(pid, variable, device)) continue;
                out[count].pid = (unsigned)pid;
                out[count++].used = 256ULL << 20;
            }
            if (folder) closedir(folder);
        }
    }
    return count;
}
static int list(handle device, int graphics, unsigned *count, process_info *out)
{
    static process_info all[MOST_PROCESSES];
    memset(all, 0, sizeof all);
    unsigned found = collect(device, graphics, all), room = *count;
    *count = found;
    if (found > room || (found && !out)) return INSUFFICIENT_SIZE;
    if (found) memcpy(out, all, found * sizeof *all);
    return OK;
}
int nvmlDeviceGetComputeRunningProcesses_v3(handle device, unsigned *count, process_info *out)
{
    ASK(device);
    return list(device, 0, count, out);
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(handle device, unsigned *count, process_info *out)
{
    ASK(device);
    return list(device, 1, count, out);
}
