/** The people of a call, as the stream's room knows them. */

import { type Participant, type Room, RoomEvent, Track } from 'livekit-client';
import { isJob, PERSON_ATTRIBUTE } from '../../shared/cluster/cluster-names.ts';
import type { CallPerson } from '../../shared/messages.ts';

/** What a publisher says of itself in `PERSON_ATTRIBUTE`, as JSON. */
export interface PersonSaid {
  name: string;
  /** Whether the camera is on. */
  camera: boolean;
}

const LONGEST_NAME = 40;
const CHANGES = [
  RoomEvent.ParticipantConnected,
  RoomEvent.ParticipantDisconnected,
  RoomEvent.ParticipantAttributesChanged,
  RoomEvent.TrackPublished,
  RoomEvent.TrackUnpublished,
  RoomEvent.LocalTrackPublished,
  RoomEvent.LocalTrackUnpublished,
  RoomEvent.TrackMuted,
  RoomEvent.TrackUnmuted,
  RoomEvent.ActiveSpeakersChanged,
] as const;

/** Tells of the people at every change, until the room is left. @param onPeople `you` is the page's own name among them. */
export function followPeople(room: Room, onPeople: (people: CallPerson[], you: string) => void): void {
  const tell = (): void => {
    const people = peopleOf([room.localParticipant, ...room.remoteParticipants.values()]);
    const you = people.find(({ stream }) => stream === room.localParticipant.identity);
    // Before the page said its own name, it is in no call.
    if (you !== undefined) onPeople(people, you.name);
  };
  for (const event of CHANGES) room.on(event, tell);
}

/** Those that say a name, in the order in which they came; a name that another one has gets a number. */
function peopleOf(participants: readonly Participant[]): CallPerson[] {
  const taken = new Set<string>();
  return participants
    .flatMap((participant) => {
      const said = personIn(participant);
      return said === null ? [] : [{ participant, said }];
    })
    .sort((a, b) => (a.participant.joinedAt?.getTime() ?? 0) - (b.participant.joinedAt?.getTime() ?? 0))
    .map(({ participant, said }) => {
      let name = said.name;
      for (let n = 2; taken.has(name); n++) name = `${said.name} ${n}`;
      taken.add(name);
      return {
        name,
        stream: participant.identity,
        muted: participant.getTrackPublication(Track.Source.Microphone)?.isMuted ?? true,
        camera: said.camera,
        speaking: participant.isSpeaking,
      };
    });
}

/** What a participant says of itself; null for jobs, viewers, and what is of anyone's making and none. */
function personIn({ identity, attributes }: Participant): PersonSaid | null {
  const text = attributes[PERSON_ATTRIBUTE];
  if (text === undefined || isJob(identity)) return null;
  try {
    const { name, camera } = JSON.parse(text) as Partial<PersonSaid>;
    if (typeof name !== 'string' || name.trim() === '') return null;
    return { name: name.trim().slice(0, LONGEST_NAME), camera: camera === true };
  } catch {
    return null;
  }
}
