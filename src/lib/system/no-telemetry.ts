/**
 * Keeps ONNX Runtime from reporting to its maker: since 1.29 its Linux library writes a device id and its events (names
 * of models and providers, times, the system) into ~/.cache/Microsoft and sends them, unless this variable is set. The
 * library reads the environment of the process, which only the main thread can change; threads and children inherit it.
 */
export function disableTelemetry(): void {
  process.env.ORT_DISABLE_TELEMETRY = '1';
}
