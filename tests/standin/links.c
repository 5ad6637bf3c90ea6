/* Between GPUs: the PCIe tree, peer-to-peer, NVLink, and the NVSwitch fabric. */
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TO_GPU = 0, TO_SWITCH = 2, NOWHERE = 255, USUAL_SLOTS = 18, MOST_SWITCHES = 32 };
/* unsigned char state: as in nvml.h, whereas pynvml reads four bytes. */
typedef struct { unsigned char uuid[16]; int status; unsigned clique; unsigned char state; } fabric_v1;
typedef struct {
    unsigned version; unsigned char uuid[16]; int status; unsigned clique; unsigned char state; unsigned health;
} fabric_v2;
/* One NVLink. no: what calls about it answer. */
typedef struct { int no, active, kind; unsigned version; char bus[32]; } end;

static const line *link_between(handle a, handle b)
{
    for (int at = 0; at < standin_line_count; at++) {
        const line *here = &standin_lines[at];
        if (!is(here, "link")) continue;
        int one = (int)number_or(here, "a", 999), two = (int)number_or(here, "b", 999);
        if ((one == a->gpu && two == b->gpu) || (one == b->gpu && two == a->gpu)) return here;
    }
    return NULL;
}
static unsigned direct_links(handle a, handle b)
{
    const line *found = a == b ? NULL : link_between(a, b);
    return found ? (unsigned)number_or(found, "nvlinks", 0) : 0;
}
static unsigned switch_links(handle device)
{
    const line *at = next_line(NULL, "switch", device);
    return at ? (unsigned)number_or(at, "links", 0) : 0;
}
/* Whether data goes over the switches: where there is a fabric to set up (not 0), it is. */
static int switched(handle device)
{
    unsigned long long state = number_or(device, "fabric_state", 0);
    return switch_links(device) && (!state || (state == 3 && !number_or(device, "fabric_status", 0)));
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
        if (found && !number(found, "p2p_nvlink", &told)) *out = (unsigned)told;
        else *out = direct_links(a, b) || (switched(a) && switched(b)) ? 0 : 5;
        return OK;
    }
    if (!found || number(found, "p2p", &told)) return NOT_SUPPORTED;
    *out = (unsigned)told;
    return OK;
}

/* The switch that a link leads to: those named by buses= take turns. */
static void name_switch(handle device, unsigned link, end *out)
{
    const line *at = next_line(NULL, "switch", device);
    const char *buses = at ? value(at, "buses") : NULL, *names[MOST_SWITCHES];
    unsigned count = 0;
    char *rest = (char *)buses;
    for (char *one; rest && (one = strsep(&rest, ",")) && count < MOST_SWITCHES;) names[count++] = one;
    snprintf(out->bus, sizeof out->bus, "%s", count ? names[link % count] : "0000:05:00.0");
}
/* Direct links are numbered first, peer by peer, then those to switches, then the idle ones. GPUs
 * without any do not know the question. */
static end end_of(handle device, unsigned link)
{
    end out = {OK, 1, TO_GPU, (unsigned)number_or(device, "nvlink_version", 0), ""};
    unsigned seen = 0;
    int found = 0;
    for (int at = 0; at < standin_gpu_count && !found; at++) {
        seen += direct_links(device, standin_gpus[at]);
        found = link < seen;
        if (found) snprintf(out.bus, sizeof out.bus, "%.31s", value(standin_gpus[at], "bus"));
    }
    if (!found) {
        const line *at = next_line(NULL, "switch", device);
        unsigned first = seen;
        seen += switch_links(device);
        found = link < seen;
        if (found) out.kind = TO_SWITCH, name_switch(device, link - first, &out);
        if (found && at && link - first < number_or(at, "down", 0)) out.active = 0;
    }
    if (!found) {
        unsigned long long slots = number_or(device, "nvlink_slots", seen ? USUAL_SLOTS : 0);
        out.active = 0, out.kind = NOWHERE;
        out.no = !slots ? NOT_SUPPORTED : link < slots ? OK : INVALID_ARGUMENT;
    }
    for (const line *at = NULL; (at = next_line(at, "nvlink", device));) {
        if (number_or(at, "link", 999) != link) continue;
        out.active = (int)number_or(at, "active", (unsigned)out.active);
        out.kind = (int)number_or(at, "kind", (unsigned)out.kind);
        out.version = (unsigned)number_or(at, "version", out.version);
        out.no = (int)number_or(at, "code", OK);
        if (value(at, "bus")) snprintf(out.bus, sizeof out.bus, "%.31s", value(at, "bus"));
    }
    return out;
}
int nvmlDeviceGetNvLinkState(handle device, unsigned link, unsigned *out)
{
    ASK(device);
    end there = end_of(device, link);
    *out = (unsigned)there.active;
    return there.no;
}
int nvmlDeviceGetNvLinkVersion(handle device, unsigned link, unsigned *out)
{
    ASK(device);
    end there = end_of(device, link);
    *out = there.version;
    return there.no ? there.no : there.version ? OK : NOT_SUPPORTED;
}
int nvmlDeviceGetNvLinkRemoteDeviceType(handle device, unsigned link, unsigned *out)
{
    ASK(device);
    end there = end_of(device, link);
    *out = (unsigned)there.kind;
    return there.no;
}
int nvmlDeviceGetNvLinkRemotePciInfo_v2(handle device, unsigned link, pci_info *out)
{
    ASK(device);
    end there = end_of(device, link);
    if (there.no) return there.no;
    return there.active && *there.bus ? fill_pci(there.bus, 0, out) : NOT_FOUND;
}

int nvmlDeviceGetGpuFabricInfo(handle device, fabric_v1 *out)
{
    unsigned long long state;
    ASK(device);
    if (number(device, "fabric_state", &state)) return NOT_SUPPORTED;
    out->status = (int)number_or(device, "fabric_status", 0);
    out->clique = (unsigned)number_or(device, "fabric_clique", 0);
    out->state = (unsigned char)state;
    return OK;
}
int nvmlDeviceGetGpuFabricInfoV(handle device, fabric_v2 *out)
{
    unsigned long long state;
    ASK(device);
    if (out->version != 0x02000024 && out->version != 0x03000028) return ARGUMENT_VERSION_MISMATCH;
    if (number(device, "fabric_state", &state)) return NOT_SUPPORTED;
    out->status = (int)number_or(device, "fabric_status", 0);
    out->clique = (unsigned)number_or(device, "fabric_clique", 0);
    out->state = (unsigned char)state;
    return OK;
}
