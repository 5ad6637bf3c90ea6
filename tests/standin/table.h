/* The stand-in's table and what every question begins with. Format of the table: head of nvml.c. */
#ifndef STANDIN_TABLE_H
#define STANDIN_TABLE_H

enum { /* nvmlReturn_t */
    OK = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4,
    NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9, GPU_IS_LOST = 15,
    ARGUMENT_VERSION_MISMATCH = 25
};

/* A handle is the address of its line: a gpu line, or a mig line, whose gpu is its GPU's. */
typedef struct line { char *word; char *pairs; int gpu; } line;
typedef line *handle;
typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char text[32]; } pci_info;

extern line standin_lines[];
extern handle standin_gpus[];
extern int standin_line_count, standin_gpu_count, standin_open;

/* The value of a key, in one of eight buffers that are used in turn; NULL when left out. */
const char *value(const line *at, const char *key);
/* OK and the number, or NOT_SUPPORTED when the key is left out. Hexadecimal after 0x. */
int number(const line *at, const char *key, unsigned long long *out);
unsigned long long number_or(const line *at, const char *key, unsigned long long fallback);
int is(const line *at, const char *word);
/* The next line of this word after the one given (NULL: the first) whose gpu= is the device's. */
const line *next_line(const line *after, const char *word, handle device);
const line *driver(void);
int read_table(void);
/* What error, lost, hang and crash lines make of this call; all calls must come after nvmlInit. */
int refused(const char *call, handle device);
int put(char *out, unsigned size, const char *text);
int parse_bus(const char *text, unsigned part[4]);
int fill_pci(const char *text, unsigned id, pci_info *out);

#define ASK(device) do { int no = refused(__func__, device); if (no) return no; } while (0)
/* A call that gives one unsigned number, or one text, of a key. */
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
#define TEXT(call, key) \
    int call(handle device, char *out, unsigned size) { ASK(device); return put(out, size, value(device, key)); }

#endif
