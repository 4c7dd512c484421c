/*
 * CUDA's runtime without a card: memory is the host's, counted against STAND_IN_VRAM_MB, and kernels do nothing.
 * STAND_IN_LAUNCH_ERROR is what launching a kernel answers, read at each launch.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, OUT_OF_MEMORY = 2 };
enum { MULTIPROCESSORS = 16, MAJOR = 75, MINOR = 76 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static size_t used;

static size_t number(const char *name, size_t standard) {
  const char *text = getenv(name);
  return text ? strtoull(text, 0, 10) : standard;
}

static size_t vram(void) { return number("STAND_IN_VRAM_MB", 4096) << 20; }

int cudaMalloc(void **out, size_t bytes) {
  int status = OUT_OF_MEMORY;
  pthread_mutex_lock(&lock);
  if (used + bytes <= vram()) {
    *out = calloc(1, bytes);
    used += malloc_usable_size(*out);
    status = SUCCESS;
  }
  pthread_mutex_unlock(&lock);
  return status;
}

int cudaFree(void *pointer) {
  pthread_mutex_lock(&lock);
  if (pointer) used -= malloc_usable_size(pointer);
  free(pointer);
  pthread_mutex_unlock(&lock);
  return SUCCESS;
}

/* Bytes in use on the card: for the tests. */
size_t standInUsed(void) { return used; }

int cudaMemGetInfo(size_t *available, size_t *total) {
  *total = vram();
  *available = used > *total ? 0 : *total - used;
  return SUCCESS;
}

int cudaMallocHost(void **out, size_t bytes) { return *out = malloc(bytes), SUCCESS; }
int cudaHostAlloc(void **out, size_t bytes, unsigned flags) { return cudaMallocHost(out, bytes); }
int cudaFreeHost(void *pointer) { return free(pointer), SUCCESS; }
int cudaMemcpy(void *to, const void *from, size_t bytes, int kind) { return memcpy(to, from, bytes), SUCCESS; }

/* A graph is the copies that were asked for while it was captured; they happen when it is launched. */
struct copy {
  void *to;
  const void *from;
  size_t bytes;
};
struct graph {
  int count;
  struct copy copies[256];
};
static struct graph *capturing;

int cudaStreamBeginCapture(void *stream, int mode) { return capturing = calloc(1, sizeof *capturing), SUCCESS; }
int cudaStreamIsCapturing(void *stream, int *out) { return *out = capturing ? 1 : 0, SUCCESS; }
int cudaStreamEndCapture(void *stream, struct graph **out) { return *out = capturing, capturing = 0, SUCCESS; }
int cudaGraphInstantiate(struct graph **out, const struct graph *graph, unsigned long long flags) {
  *out = malloc(sizeof *graph);
  return memcpy(*out, graph, sizeof *graph), SUCCESS;
}
static size_t launches;
size_t standInLaunches(void) { return launches; }
int cudaGraphLaunch(struct graph *graph, void *stream) {
  launches++;
  for (int i = 0; i < graph->count; i++) memcpy(graph->copies[i].to, graph->copies[i].from, graph->copies[i].bytes);
  return SUCCESS;
}
int cudaGraphDestroy(struct graph *graph) { return free(graph), SUCCESS; }
int cudaGraphExecDestroy(struct graph *graph) { return free(graph), SUCCESS; }

int cudaMemcpyAsync(void *to, const void *from, size_t bytes, int kind, void *stream) {
  if (!capturing) return cudaMemcpy(to, from, bytes, kind);
  capturing->copies[capturing->count++] = (struct copy){to, from, bytes};
  return SUCCESS;
}
int cudaMemset(void *at, int value, size_t bytes) { return memset(at, value, bytes), SUCCESS; }
int cudaMemsetAsync(void *at, int value, size_t bytes, void *stream) { return cudaMemset(at, value, bytes); }

int cudaGetDeviceCount(int *out) { return *out = 1, SUCCESS; }
int cudaGetDevice(int *out) { return *out = 0, SUCCESS; }
int cudaRuntimeGetVersion(int *out) { return *out = 13000, SUCCESS; }
int cudaDriverGetVersion(int *out) { return *out = 13000, SUCCESS; }

int cudaDeviceGetAttribute(int *out, int attribute, int device) {
  *out = attribute == MAJOR ? 8 : attribute == MINOR ? 9 : attribute == MULTIPROCESSORS ? 128 : 48;
  return SUCCESS;
}

/* The beginning of cudaDeviceProp. */
struct properties {
  char name[256], uuid[16], luid[8];
  unsigned nodes;
  size_t memory, sharedPerBlock;
  int registersPerBlock, warp;
  size_t pitch;
  int threadsPerBlock, threads[3], grid[3];
  size_t constants;
  int major, minor;
};

int cudaGetDeviceProperties(struct properties *out, int device) {
  strcpy(out->name, "Stand-in");
  out->memory = vram();
  out->sharedPerBlock = 49152;
  out->registersPerBlock = 65536;
  out->warp = 32;
  out->threadsPerBlock = out->threads[0] = out->threads[1] = 1024;
  out->threads[2] = 64;
  out->grid[0] = 2147483647;
  out->grid[1] = out->grid[2] = 65535;
  out->major = 8;
  out->minor = 9;
  return SUCCESS;
}

static int launch(void) { return (int)number("STAND_IN_LAUNCH_ERROR", SUCCESS); }
int cudaLaunchKernel() { return launch(); }
int cudaLaunchKernelExC() { return launch(); }
int __cudaLaunchKernel() { return launch(); }
int cudaGetLastError() { return launch(); }
int cudaPeekAtLastError() { return launch(); }

const char *cudaGetErrorString(int error) { return error == OUT_OF_MEMORY ? "out of memory" : "an error of the stand-in"; }
const char *cudaGetErrorName(int error) { return error == OUT_OF_MEMORY ? "cudaErrorMemoryAllocation" : "cudaErrorStandIn"; }

/* Handles are compared and passed on, never looked into. */
static int handle(void **out) { return *out = out, SUCCESS; }
int cudaStreamCreate(void **out) { return handle(out); }
int cudaStreamCreateWithFlags(void **out, unsigned flags) { return handle(out); }
int cudaEventCreate(void **out) { return handle(out); }
int cudaEventCreateWithFlags(void **out, unsigned flags) { return handle(out); }
void **__cudaRegisterFatBinary(void *binary) {
  static void *registered[4];
  return registered;
}
