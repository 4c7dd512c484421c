#include <string.h>
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { return code == 0 ? "Success" : "Unknown Error"; }
int nvmlDeviceGetCount_v2(unsigned *out) { return *out = 1, 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **out) { return *out = out, 0; }
int nvmlDeviceGetName(void *device, char *out, unsigned size) { return strncpy(out, "Stand-in", size), 0; }
int nvmlDeviceGetMemoryInfo(void *device, unsigned long long *out) { return out[0] = 8ull << 30, out[1] = 5ull << 30, out[2] = 3ull << 30, 0; }
int nvmlDeviceGetUtilizationRates(void *device, unsigned *out) { return out[0] = 42, out[1] = 7, 0; }
int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor) { return *major = 8, *minor = 9, 0; }
int nvmlSystemGetDriverVersion(char *out, unsigned size) { return strncpy(out, "580.95", size), 0; }
int nvmlSystemGetCudaDriverVersion_v2(int *out) { return *out = 13000, 0; }
