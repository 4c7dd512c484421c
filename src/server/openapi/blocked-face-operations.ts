/** The operations of `/api/blocked-faces`. */

import { z } from 'zod';
import { type FormFields, type Operation, PICTURE_FORM_ERRORS, UNWANTED_BODY } from './operation.ts';
import { blockedFaceSchema } from './reply-schemas.ts';

const FORM: FormFields = {
  file: {
    text: 'A picture of the person: JPEG, PNG, WebP, AVIF or GIF. It is not kept.',
    isFile: true,
    isRequired: true,
  },
  note: { text: 'For people: who asked, and where. 200 characters.' },
  pick: { text: 'Which face, where the picture shows several: an `index` of `several_faces`, 0 to 999.' },
};

/** The faces that this server does not take: list, block, unblock. */
export const blockedFaceOperations: readonly Operation[] = [
  {
    method: 'get',
    path: '/api/blocked-faces',
    id: 'listBlockedFaces',
    group: 'faces',
    summary: 'The faces that this server does not take',
    replies: { 200: { text: 'The list, in the order of its making.', schema: z.array(blockedFaceSchema) } },
    errors: [],
  },
  {
    method: 'post',
    path: '/api/blocked-faces',
    id: 'blockFace',
    group: 'faces',
    summary: 'Takes the face of a person no more, whatever picture it is in',
    body: { form: FORM },
    replies: { 201: { text: 'The entry.', schema: blockedFaceSchema, headers: ['Location'] } },
    errors: [...PICTURE_FORM_ERRORS, 'too_many_blocked_faces', 'block_list_damaged', 'not_saved'],
  },
  {
    method: 'delete',
    path: '/api/blocked-faces/{blocked}',
    id: 'unblockFace',
    group: 'faces',
    summary: 'Takes a face again',
    replies: { 204: { text: 'It is deleted from the list.' } },
    errors: ['unknown_blocked_face', 'block_list_damaged', 'not_saved', ...UNWANTED_BODY],
  },
];
