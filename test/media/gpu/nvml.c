/* As much of NVIDIA's management library as FaceOff asks, with the signatures of nvml.h. What it answers stands in a file
   that STAND_IN_GPU names: total, free and used bytes, percent of kernels, and the code that the queries end with. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned gpu, memory; } utilization_t;
static int device;
static int opened;

static int state(memory_t *memory, utilization_t *rates) {
  unsigned long long total = 0, free = 0, used = 0;
  unsigned percent = 0;
  int code = 0;
  FILE *file = fopen(getenv("STAND_IN_GPU") ? getenv("STAND_IN_GPU") : "", "r");
  if (!file) return 999;
  if (fscanf(file, "%llu %llu %llu %u %d", &total, &free, &used, &percent, &code) != 5) code = 999;
  fclose(file);
  if (memory) { memory->total = total; memory->free = free; memory->used = used; }
  if (rates) { rates->gpu = percent; rates->memory = 1; }
  return code;
}

const char *nvmlErrorString(int code) { return code == 9 ? "Driver Not Loaded" : "Unknown Error"; }
int nvmlInit_v2(void) { if (getenv("STAND_IN_NO_DRIVER")) return 9; opened++; return 0; }
int nvmlShutdown(void) { opened--; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **out) { *out = &device; return index == 0 ? 0 : 2; }
int nvmlDeviceGetHandleByUUID(const char *uuid, void **out) { *out = &device; return strcmp(uuid, "GPU-stand-in") ? 6 : 0; }
int nvmlDeviceGetName(void *d, char *name, unsigned length) { if (d != &device) return 2; strncpy(name, "Stand-in GPU", length); return 0; }
int nvmlSystemGetDriverVersion(char *version, unsigned length) { strncpy(version, "580.65.06", length); return 0; }
int nvmlDeviceGetCudaComputeCapability(void *d, int *major, int *minor) { *major = 8; *minor = 9; return d == &device ? 0 : 2; }
int nvmlDeviceGetMemoryInfo(void *d, memory_t *memory) { return d == &device && opened > 0 ? state(memory, 0) : 1; }
/* A slice of a GPU does not tell how busy it is (3: not supported); said by a percent above 100. */
int nvmlDeviceGetUtilizationRates(void *d, utilization_t *rates) { int code = state(0, rates); return rates->gpu > 100 ? 3 : code; }
