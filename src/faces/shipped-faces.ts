/** The faces that FaceOff comes with: models/portraits/ID.webp. NOTICE says where they are from. */

/** Their ids and names, in the order of the gallery. */
export const SHIPPED_FACES = [
  { id: 'astronaut', name: 'Eileen Collins (NASA)' },
  { id: 'mona-lisa', name: 'Mona Lisa (Leonardo)' },
  { id: 'lady-with-an-ermine', name: 'Lady with an Ermine (Leonardo)' },
  { id: 'girl-with-a-pearl-earring', name: 'Girl with a Pearl Earring (Vermeer)' },
  { id: 'straw-hat', name: 'Élisabeth Vigée Le Brun, by herself' },
  { id: 'adele-bloch-bauer', name: 'Adele Bloch-Bauer (Klimt)' },
] as const;

/** Whether a face is painted: it is no living person's, and never blocked. */
export const isPainted = (id: string): boolean => id !== 'astronaut' && SHIPPED_FACES.some((face) => face.id === id);
