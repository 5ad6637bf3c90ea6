/* A stand-in for the NVIDIA driver's libnvidia-ml.so.1, for machines without an NVIDIA GPU.
 *
 * It answers from a table: the file named by NVML_STANDIN_TABLE, else /etc/nvml-standin.tsv. Without
 * a table nvmlInit says that the driver is not loaded. A line is a word and key=value pairs between
 * tabs; `#` begins a comment; GPUs are counted from 0 in the order of their lines, which is NVML's
 * index order here. A key that is left out makes the call that asks for it NOT_SUPPORTED.
 *
 *   driver   version=580.95.05  cuda=13000
 *            process_bytes=32            the _v3 process lists have longer structures (535.43-535.97)
 *   gpu      uuid=GPU-...  bus=00000000:17:00.0  name=...  pci_id=0x233010de  minor=0  serial=  vbios=
 *            capability=9.0  memory_mib=  used_mib=  reserved_mib=
 *            power_min=  power_max=  power_default=  power_limit=  power_enforced=  power_draw=
 *                                        all milliwatt; enforced is the limit unless it is told
 *            persistence=0|1  compute_mode=0|1|2|3  mig=0|1  mig_pending=0|1
 *            temperature=  utilization=  clock_sm=  clock_sm_max=  clock_memory=  (Celsius, %, MHz)
 *            throttle=0x4                bits of nvmlClocksEventReason*
 *            pcie_generation=  pcie_generation_max=  pcie_generation_card=  pcie_width=  pcie_width_max=
 *            ecc=0|1  ecc_pending=0|1  ecc_errors=  ecc_errors_total=  (uncorrected)
 *            remapped=  remapped_correctable=  remap_pending=0|1  remap_failed=0|1
 *            retired_pending=0|1         before Ampere
 *            recovery_action=0..7  addressing=0|1|2 (None, HMM, ATS)
 *            cpus=0-15,32-47  nodes=0,3-9     CPU and memory affinity;  memory_node=2: its own node
 *            nvlink_slots=18             links that it has, up or not; more if links are told of below
 *            nvlink_version=7            of its links (nvmlNvlinkVersion_t: 7 is NVLink 5.0)
 *            fabric_state=0..3  fabric_status=  fabric_clique=
 *   link     a=0  b=1  ancestor=0|10|20|30|40|50  p2p=0..6  nvlinks=4
 *            p2p_nvlink=0..6             else by the links: 0 (OK) where there are some, 5 (NS)
 *   switch   gpu=0  links=18            all GPUs with a switch line share one NVSwitch fabric
 *            down=2                      so many of the links are inactive
 *            buses=0000:05:00.0,...      the switches, which take turns; FFFFFFFF:FF:FF.0 if unseen
 *   nvlink   gpu=0  link=3  active=0|1  kind=0|1|2|255  bus=  version=  code=
 *                                        one link otherwise than by the lines above
 *   mig      gpu=0  slot=2  uuid=MIG-...  name=NVIDIA H100 MIG 1g.10gb  memory_mib=9984  gi=7  ci=0
 *   process  gpu=0  pid=4711  memory_mib=2048  kind=compute|graphics  gi=  ci=
 *   scan     variable=CUDA_VISIBLE_DEVICES     processes whose environment names a GPU by UUID or
 *                                               index are listed as its compute processes
 *   error    call=nvmlDeviceGetUUID  gpu=0|*  code=3     that call answers this nvmlReturn_t
 *   lost     gpu=0  after=5  code=15     all its calls but the first 5 answer this
 *   hang     call=nvmlInitWithFlags  gpu=0|*    that call never comes back
 *   crash    call=nvmlDeviceGetName  gpu=0|*    that call ends the process by SIGABRT
 *                                               call=* in these lines is every call
 *
 * Power limit and persistence can be set, by root alone and within the range. New values are kept
 * in the folder NVML_STANDIN_STATE, else /run/nvml-standin, so that other processes read them back
 * and a reboot forgets them, as it does with the driver's.
 *
 * This file: the library, and one GPU. settings.c: power and persistence. links.c: between GPUs.
 * slices.c: MIG and processes. table.c: the table and the failures.
 * Written after the call and structure names that nvidia-ml-py uses; NVIDIA's code is not in it.
 */
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELD_RECOVERY_ACTION = 230, VALUE_UNSIGNED_INT = 1 };
typedef struct { unsigned long long total, free, used; } memory_v1;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } memory_v2;
typedef struct { unsigned gpu, memory; } utilization;
typedef struct { unsigned version, sensor; int degrees; } temperature_v1;
typedef struct { unsigned version, value; } addressing_mode;
typedef struct {
    unsigned field, scope; long long stamp, latency; unsigned type; int code; unsigned long long value;
} field_value;

/* --- the library and its GPUs ----------------------------------------------------------------- */

int nvmlInitWithFlags(unsigned flags)
{
    int no = read_table();
    (void)flags;
    if (no) return no;
    standin_open = 1;
    no = refused(__func__, NULL);
    if (no) standin_open = 0;
    return no;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { standin_open = 0; return OK; }
const char *nvmlErrorString(int code)
{
    return code == 18 ? "Driver/library version mismatch" : code ? "Stand-in error" : "Success";
}

int nvmlSystemGetDriverVersion(char *out, unsigned size)
{
    ASK(NULL);
    return put(out, size, value(driver(), "version"));
}
static int cuda(int *out)
{
    unsigned long long told;
    int no = number(driver(), "cuda", &told);
    if (!no) *out = (int)told;
    return no;
}
int nvmlSystemGetCudaDriverVersion_v2(int *out) { ASK(NULL); return cuda(out); }
int nvmlSystemGetCudaDriverVersion(int *out) { ASK(NULL); return cuda(out); }
int nvmlDeviceGetCount_v2(unsigned *out) { ASK(NULL); *out = (unsigned)standin_gpu_count; return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, handle *out)
{
    if (index >= (unsigned)standin_gpu_count) return INVALID_ARGUMENT;
    ASK(standin_gpus[index]);
    *out = standin_gpus[index];
    return OK;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, handle *out)
{
    ASK(NULL);
    for (int at = 0; at < standin_line_count; at++) {
        handle here = &standin_lines[at];
        const char *told = here->gpu < 0 ? NULL : value(here, "uuid");
        if (told && !strcmp(told, uuid)) { *out = here; return OK; }
    }
    return NOT_FOUND;
}
int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, handle *out)
{
    unsigned wanted[4], here[4];
    ASK(NULL);
    if (!parse_bus(bus, wanted)) return INVALID_ARGUMENT;
    for (int at = 0; at < standin_gpu_count; at++) {
        if (parse_bus(value(standin_gpus[at], "bus"), here) && !memcmp(wanted, here, sizeof here)) {
            *out = standin_gpus[at];
            return OK;
        }
    }
    return NOT_FOUND;
}

/* --- one GPU ---------------------------------------------------------------------------------- */

TEXT(nvmlDeviceGetUUID, "uuid")
TEXT(nvmlDeviceGetName, "name")
TEXT(nvmlDeviceGetSerial, "serial")
TEXT(nvmlDeviceGetVbiosVersion, "vbios")
NUMBER(nvmlDeviceGetMinorNumber, "minor")
NUMBER(nvmlDeviceGetComputeMode, "compute_mode")
NUMBER(nvmlDeviceGetNumaNodeId, "memory_node")
NUMBER(nvmlDeviceGetCurrPcieLinkGeneration, "pcie_generation")
NUMBER(nvmlDeviceGetMaxPcieLinkGeneration, "pcie_generation_max")
NUMBER(nvmlDeviceGetGpuMaxPcieLinkGeneration, "pcie_generation_card")
NUMBER(nvmlDeviceGetCurrPcieLinkWidth, "pcie_width")
NUMBER(nvmlDeviceGetMaxPcieLinkWidth, "pcie_width_max")
NUMBER(nvmlDeviceGetRetiredPagesPendingStatus, "retired_pending")

int nvmlDeviceGetPciInfo_v3(handle device, pci_info *out)
{
    ASK(device);
    return fill_pci(value(device, "bus"), (unsigned)number_or(device, "pci_id", 0), out);
}
int nvmlDeviceGetMemoryInfo_v2(handle device, memory_v2 *out)
{
    unsigned long long total;
    ASK(device);
    if (out->version != 0x02000028) return ARGUMENT_VERSION_MISMATCH;
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
int nvmlDeviceGetAddressingMode(handle device, addressing_mode *out)
{
    unsigned long long told;
    ASK(device);
    if (out->version != 0x01000008) return ARGUMENT_VERSION_MISMATCH;
    if (number(device, "addressing", &told)) return NOT_SUPPORTED;
    out->value = (unsigned)told;
    return OK;
}

/* A list of numbers as bits; too few words are an error, as they are to the driver. */
static int bits(const char *list, unsigned words, unsigned long *out)
{
    if (!list) return NOT_SUPPORTED;
    memset(out, 0, words * sizeof *out);
    for (char *rest = (char *)list, *part; (part = strsep(&rest, ","));) {
        unsigned first, last;
        int read = sscanf(part, "%u-%u", &first, &last);
        if (read < 1) continue;
        for (unsigned one = first; one <= (read > 1 ? last : first); one++) {
            if (one / 64 >= words) return INSUFFICIENT_SIZE;
            out[one / 64] |= 1UL << one % 64;
        }
    }
    return OK;
}
int nvmlDeviceGetCpuAffinity(handle device, unsigned words, unsigned long *out)
{
    ASK(device);
    return bits(value(device, "cpus"), words, out);
}
int nvmlDeviceGetMemoryAffinity(handle device, unsigned words, unsigned long *out, unsigned scope)
{
    ASK(device);
    return scope > 1 ? INVALID_ARGUMENT : bits(value(device, "nodes"), words, out);
}

/* --- what it does, and how it is -------------------------------------------------------------- */

int nvmlDeviceGetTemperature(handle device, unsigned sensor, unsigned *out)
{
    unsigned long long told;
    ASK(device);
    if (sensor || number(device, "temperature", &told)) return NOT_SUPPORTED;
    *out = (unsigned)told;
    return OK;
}
int nvmlDeviceGetTemperatureV(handle device, temperature_v1 *out)
{
    unsigned long long told;
    ASK(device);
    if (out->version != 0x0100000C) return ARGUMENT_VERSION_MISMATCH;
    if (out->sensor || number(device, "temperature", &told)) return NOT_SUPPORTED;
    out->degrees = (int)told;
    return OK;
}
int nvmlDeviceGetUtilizationRates(handle device, utilization *out)
{
    unsigned long long told;
    ASK(device);
    if (number(device, "utilization", &told)) return NOT_SUPPORTED;
    out->gpu = (unsigned)told, out->memory = 0;
    return OK;
}
static int clock_of(handle device, const char *sm, const char *memory, unsigned kind, unsigned *out)
{
    unsigned long long told;
    if (kind > 2 || number(device, kind == 2 ? memory : sm, &told)) return NOT_SUPPORTED;
    *out = (unsigned)told;
    return OK;
}
int nvmlDeviceGetClockInfo(handle device, unsigned kind, unsigned *out)
{
    ASK(device);
    return clock_of(device, "clock_sm", "clock_memory", kind, out);
}
int nvmlDeviceGetMaxClockInfo(handle device, unsigned kind, unsigned *out)
{
    ASK(device);
    return clock_of(device, "clock_sm_max", "clock_memory_max", kind, out);
}
int nvmlDeviceGetCurrentClocksEventReasons(handle device, unsigned long long *out)
{
    ASK(device);
    return number(device, "throttle", out);
}
int nvmlDeviceGetCurrentClocksThrottleReasons(handle device, unsigned long long *out)
{
    ASK(device);
    return number(device, "throttle", out);
}
int nvmlDeviceGetEccMode(handle device, unsigned *current, unsigned *pending)
{
    unsigned long long told;
    ASK(device);
    if (number(device, "ecc", &told)) return NOT_SUPPORTED;
    *current = (unsigned)told;
    *pending = (unsigned)number_or(device, "ecc_pending", told);
    return OK;
}
int nvmlDeviceGetTotalEccErrors(handle device, unsigned kind, unsigned counter, unsigned long long *out)
{
    ASK(device);
    if (kind != 1 || counter > 1) return NOT_SUPPORTED;
    return number(device, counter ? "ecc_errors_total" : "ecc_errors", out);
}
int nvmlDeviceGetRemappedRows(handle device, unsigned *corr, unsigned *uncorr, unsigned *pending, unsigned *failed)
{
    unsigned long long told;
    ASK(device);
    if (number(device, "remapped", &told)) return NOT_SUPPORTED;
    *uncorr = (unsigned)told;
    *corr = (unsigned)number_or(device, "remapped_correctable", 0);
    *pending = (unsigned)number_or(device, "remap_pending", 0);
    *failed = (unsigned)number_or(device, "remap_failed", 0);
    return OK;
}
int nvmlDeviceGetFieldValues(handle device, int count, field_value *out)
{
    ASK(device);
    for (int at = 0; at < count; at++) {
        int known = out[at].field == FIELD_RECOVERY_ACTION;
        out[at].type = VALUE_UNSIGNED_INT;
        out[at].code = known ? number(device, "recovery_action", &out[at].value) : NOT_SUPPORTED;
    }
    return OK;
}
