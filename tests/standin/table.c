/* Reading the table, and deciding how a call fails. */
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_GPUS = 64, MOST_LINES = 4096, MOST_TEXT = 4096 };

line standin_lines[MOST_LINES];
handle standin_gpus[MOST_GPUS];
int standin_line_count, standin_gpu_count, standin_open;
static unsigned calls_of[MOST_GPUS];
static char *table;

const char *value(const line *at, const char *key)
{
    static char buffers[8][MOST_TEXT];
    static int turn;
    size_t length = strlen(key);
    for (const char *pair = at->pairs; pair && *pair; pair = strchr(pair, '\t')) {
        pair += strspn(pair, "\t");
        if (!strncmp(pair, key, length) && pair[length] == '=') {
            char *out = buffers[turn++ % 8];
            int size = (int)strcspn(pair + length + 1, "\t");
            snprintf(out, MOST_TEXT, "%.*s", size, pair + length + 1);
            return out;
        }
    }
    return NULL;
}

int number(const line *at, const char *key, unsigned long long *out)
{
    const char *text = value(at, key);
    if (!text || !*text) return NOT_SUPPORTED;
    *out = strtoull(text, NULL, 0);
    return OK;
}

unsigned long long number_or(const line *at, const char *key, unsigned long long fallback)
{
    unsigned long long out;
    return number(at, key, &out) ? fallback : out;
}

int is(const line *at, const char *word) { return !strcmp(at->word, word); }

const line *next_line(const line *after, const char *word, handle device)
{
    for (const line *at = after ? after + 1 : standin_lines; at < standin_lines + standin_line_count; at++)
        if (is(at, word) && (int)number_or(at, "gpu", 999) == device->gpu) return at;
    return NULL;
}

const line *driver(void)
{
    static const line none = {"driver", NULL, -1};
    for (int at = 0; at < standin_line_count; at++)
        if (is(&standin_lines[at], "driver")) return &standin_lines[at];
    return &none;
}

/* Whether a line with call= and gpu= is about this call. */
static int about(const line *at, const char *call, handle device)
{
    const char *named = value(at, "call"), *gpu = value(at, "gpu");
    if (!named || (strcmp(named, call) && strcmp(named, "*"))) return 0;
    return !gpu || !strcmp(gpu, "*") || (device && device->gpu == atoi(gpu));
}

int refused(const char *call, handle device)
{
    if (!standin_open) return UNINITIALIZED;
    unsigned asked = device ? calls_of[device->gpu]++ : 0;
    for (int index = 0; index < standin_line_count; index++) {
        const line *at = &standin_lines[index];
        if (is(at, "lost") && device && (int)number_or(at, "gpu", 999) == device->gpu) {
            if (asked >= number_or(at, "after", 0)) return (int)number_or(at, "code", GPU_IS_LOST);
        } else if (is(at, "hang") && about(at, call, device)) {
            for (;;) pause();
        } else if (is(at, "crash") && about(at, call, device)) {
            abort();
        } else if (is(at, "error") && about(at, call, device)) {
            return (int)number_or(at, "code", NOT_SUPPORTED);
        }
    }
    return OK;
}

int read_table(void)
{
    const char *path = getenv("NVML_STANDIN_TABLE");
    FILE *file = fopen(path && *path ? path : "/etc/nvml-standin.tsv", "r");
    size_t size = 0;
    standin_line_count = standin_gpu_count = 0;
    memset(calls_of, 0, sizeof calls_of);
    free(table);
    table = NULL;
    if (!file || getdelim(&table, &size, '\0', file) < 0) {
        if (file) fclose(file);
        return DRIVER_NOT_LOADED;
    }
    fclose(file);
    for (char *rest = table, *row; (row = strsep(&rest, "\n")) && standin_line_count < MOST_LINES;) {
        line *at = &standin_lines[standin_line_count];
        if (!*row || *row == '#') continue;
        at->word = row;
        at->pairs = strchr(row, '\t');
        if (at->pairs) *at->pairs++ = '\0';
        at->gpu = -1;
        if (is(at, "gpu") && standin_gpu_count < MOST_GPUS) {
            at->gpu = standin_gpu_count;
            standin_gpus[standin_gpu_count++] = at;
        } else if (is(at, "mig")) {
            at->gpu = (int)(number_or(at, "gpu", 0) % MOST_GPUS);
        }
        standin_line_count++;
    }
    return OK;
}

int put(char *out, unsigned size, const char *text)
{
    if (!text) return NOT_SUPPORTED;
    if (strlen(text) >= size) return INSUFFICIENT_SIZE;
    strcpy(out, text);
    return OK;
}

int parse_bus(const char *text, unsigned part[4])
{
    return text && sscanf(text, "%x:%x:%x.%x", part, part + 1, part + 2, part + 3) == 4;
}

int fill_pci(const char *text, unsigned id, pci_info *out)
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
