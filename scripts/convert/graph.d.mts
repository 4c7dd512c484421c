/** Types of graph.mjs. */
export class GraphBuilder {
  input(name: string, shape: (number | string)[], type?: string): string;
  output(value: string, name: string, shape: (number | string)[]): void;
  node(op: string, inputs: string[], attributes?: object, output?: string): string;
  floats(values: ArrayLike<number>, shape?: number[]): string;
  ints(values: number[], shape?: number[]): string;
  halves(bytes: Uint8Array, shape: number[]): string;
  bytes(name: string): Uint8Array;
}
