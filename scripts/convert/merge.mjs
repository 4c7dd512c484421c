/**
 * Merges branches of a TFLite model that have the same structure: several operators of a kind, each on a few channels,
 * become one operator on all their channels. A branch's operators are so small that starting them costs more than their
 * arithmetic.
 */

/**
 * @param model as readTflite returns it; merged tensors are added to it.
 * @param starts the branches' first tensors; operators before them are ignored. @param ends their last tensors.
 * @returns the merged operators in order. CONV_2D of several branches have `groups`; CHANNELS repeats the channels of
 *   branches (`picks`) where two branches continue from one. `start` and `end` are the merged tensors; each branch has an
 *   equal part of the end's channels, padded with zeros.
 */
export function sideBySide(model, starts, ends) {
  const { tensors } = model;
  const maker = new Map(model.operators.map((operator) => [operator.outputs[0], operator]));
  const operators = [];
  const merged = new Map();

  const add = (members, tensor) => {
    merged.set(members.join(), tensors.length);
    return tensors.push(tensor) - 1;
  };
  const sideOf = (members) => {
    const shapes = members.map((member) => tensors[member].shape);
    const widest = Math.max(...shapes.map((shape) => shape.at(-1)));
    return { name: '', shape: [...shapes[0].slice(0, -1), widest * members.length], type: 'float32', data: null };
  };
  const start = add(starts, sideOf(starts));

  /** The operators from the starts to one end, in the file's order. */
  const branch = (end) => {
    const found = new Set();
    const visit = (tensor) => {
      const operator = maker.get(tensor);
      if (operator === undefined || operator.op === 'DEQUANTIZE' || starts.includes(tensor) || found.has(operator))
        return;
      found.add(operator);
      operator.inputs.forEach(visit);
    };
    visit(end);
    return model.operators.filter((operator) => found.has(operator));
  };

  /** The merged tensor of these tensors. */
  const together = (members) => {
    const known = merged.get(members.join());
    if (known !== undefined) return known;
    const distinct = [...new Set(members)];
    const tensor = add(members, sideOf(members));
    const picks = members.map((member) => distinct.indexOf(member));
    operators.push({ op: 'CHANNELS', inputs: [merged.get(distinct.join())], outputs: [tensor], picks });
    return tensor;
  };

  /** Concatenates constants along an axis, each padded with zeros to the longest. */
  const constantOf = (members, axis) => {
    const sources = members.map((member) => tensors[maker.get(member)?.inputs[0] ?? member]);
    const shapes = members.map((member) => tensors[member].shape);
    const at = axis < 0 ? shapes[0].length + axis : axis;
    const longest = Math.max(...shapes.map((shape) => shape[at]));
    const { type } = sources[0];
    const size = type === 'float16' ? 2 : 4;
    const after = shapes[0].slice(at + 1).reduce((a, b) => a * b, size);
    const before = shapes[0].slice(0, at).reduce((a, b) => a * b, 1);
    const data = new Uint8Array(before * members.length * longest * after);
    for (let i = 0; i < before; i++) {
      for (const [k, { data: from }] of sources.entries()) {
        const length = shapes[k][at] * after;
        data.set(from.subarray(i * length, (i + 1) * length), (i * members.length + k) * longest * after);
      }
    }
    const shape = shapes[0].map((n, i) => (i === at ? longest * members.length : n));
    return tensors.push({ name: '', shape, type, data }) - 1;
  };

  const branches = ends.map(branch);
  for (const step of branches[0].keys()) {
    const these = [...new Set(branches.map((operators) => operators[step]))];
    const [{ op, options }] = these;
    const input = (k) => these.map(({ inputs }) => inputs[k]);
    const outputs = [
      add(
        these.map((operator) => operator.outputs[0]),
        sideOf(these.map((o) => o.outputs[0])),
      ),
    ];
    const part = { op, options, outputs };
    if (op === 'CONV_2D') {
      const inputs = [together(input(0)), constantOf(input(1), 0), constantOf(input(2), 0)];
      operators.push({ ...part, inputs, groups: these.length });
    } else if (op === 'DEPTHWISE_CONV_2D') {
      operators.push({ ...part, inputs: [together(input(0)), constantOf(input(1), -1), constantOf(input(2), -1)] });
    } else if (op === 'PRELU') {
      operators.push({ ...part, inputs: [together(input(0)), constantOf(input(1), -1)] });
    } else if (op === 'PAD') {
      operators.push({ ...part, inputs: [together(input(0))] });
    } else {
      operators.push({ ...part, inputs: these[0].inputs.map((_, k) => together(input(k))) });
    }
  }
  return { operators, start, end: merged.get(ends.join()) };
}
