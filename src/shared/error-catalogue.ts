/** Every error code, with its HTTP status and its meaning; docs/errors.md lists the same. */

/** One entry of the catalogue. */
export interface ErrorEntry {
  /** HTTP status of the answer; 500 for codes that only the command line or the log shows. */
  status: number;
  /** One sentence that says when the code comes. */
  meaning: string;
}

/** The catalogue, by subject. A code has one meaning and one status; programs may rely on both. */
export const ERRORS = {
  // Requests
  bad_request: { status: 400, meaning: 'The request is not HTTP, or cannot be read.' },
  bad_json: { status: 400, meaning: 'The body of the request is not JSON.' },
  bad_message: { status: 400, meaning: 'A message on the WebSocket does not have the form that messages.ts defines.' },
  bad_settings: {
    status: 400,
    meaning: 'A setting is unknown or has a value it cannot take; `details.fields` names them.',
  },
  bad_query: { status: 400, meaning: 'A parameter of the address has a value it cannot take.' },
  bad_name: { status: 400, meaning: 'A preset or a stream cannot have that name.' },
  bad_form: { status: 400, meaning: 'The body of an upload is no whole multipart/form-data.' },
  bad_field: { status: 422, meaning: 'A field of an upload has a value it cannot take.' },
  wrong_type: { status: 415, meaning: 'The body of the request has another content type than the one expected.' },
  upgrade_required: { status: 426, meaning: 'The address takes WebSockets alone.' },
  wrong_method: { status: 405, meaning: 'The address does not take that method; `Allow` lists those it takes.' },
  not_found: { status: 404, meaning: 'There is nothing at that method and path.' },
  request_timeout: { status: 408, meaning: 'The request took longer to arrive than `limits.requestTimeoutMs`.' },
  body_too_large: { status: 413, meaning: 'The body of the request is too large.' },
  precondition_failed: { status: 412, meaning: 'The file is not as a header such as `If-Match` wants it.' },
  bad_range: { status: 416, meaning: 'The file does not have the part that `Range` asks for.' },
  bad_expectation: { status: 417, meaning: 'No other `Expect` is understood than `100-continue`.' },
  headers_too_large: { status: 431, meaning: 'The headers of the request are too large.' },
  closing: { status: 503, meaning: 'The server is stopping.' },
  internal: { status: 500, meaning: 'A defect; the log file has the details.' },

  // Access
  no_token: { status: 401, meaning: 'The server wants its token (`server.token`), and none was given.' },
  wrong_token: { status: 401, meaning: 'The token is not that of the server.' },
  too_many_attempts: { status: 429, meaning: 'The address gave too many wrong tokens (`limits.wrongTokens`).' },
  local_only: {
    status: 403,
    meaning: 'A server without a token answers that to programs of its own machine alone, and not through a proxy.',
  },
  foreign_origin: { status: 403, meaning: 'The page belongs to another site, and `server.origins` does not list it.' },
  foreign_host: { status: 421, meaning: 'The request names a host that the server is not known by (`server.names`).' },
  bad_certificate: { status: 500, meaning: '`server.certificate` or `server.key` is no readable PEM file.' },

  // Sessions, streams and calls
  unknown_session: { status: 404, meaning: 'There is no session with that id; it may have ended.' },
  unknown_stream: { status: 404, meaning: 'No session publishes under that name.' },
  unknown_preset: { status: 404, meaning: 'There is no preset with that name.' },
  session_closed: { status: 410, meaning: 'The session ended before the request was done.' },
  server_full: {
    status: 503,
    meaning:
      'All places are taken (`limits.sessions`), or memory (`memory.rssLimitMb`), file descriptors (`ulimit -n`) or, for `/enter`, the processor are short.',
  },
  stream_taken: { status: 409, meaning: 'Another session publishes under that name.' },
  no_publisher: {
    status: 409,
    meaning: 'No session publishes that stream just now; `Retry-After` says when to try again.',
  },
  server_stopping: { status: 503, meaning: 'The server is stopping; running sessions go on for `server.drainMs`.' },
  viewers_full: { status: 503, meaning: 'The stream has as many viewers as `limits.viewers` allows.' },
  name_taken: { status: 409, meaning: 'Another person in the call has that name.' },
  room_full: { status: 503, meaning: 'The call has as many people as `limits.roomPeople` allows.' },
  each_their_own: { status: 409, meaning: 'A step to the next face, while each person has a face of their own.' },
  too_many_backgrounds: { status: 507, meaning: 'There are as many backgrounds as `limits.backgrounds` allows.' },
  too_many_presets: { status: 507, meaning: 'There are as many presets as `limits.presets` allows.' },
  faces_key_missing: { status: 500, meaning: 'The faces are encrypted, and no `faces.key` is set.' },
  faces_key_wrong: { status: 500, meaning: 'The faces were encrypted with another key than `faces.key`.' },
  not_saved: { status: 507, meaning: 'A face or the presets could not be written to `storage.dir`; all is as before.' },
  no_picture: { status: 409, meaning: 'A picture was wanted of a session that has none yet.' },
  not_shown: { status: 409, meaning: 'A face was to be shown on a person in whose picture no face was found.' },

  // WebRTC
  bad_sdp: { status: 400, meaning: 'The session description cannot be used.' },
  offer_too_large: { status: 413, meaning: 'The session description is too large.' },
  bad_candidate: { status: 400, meaning: 'The ICE candidate cannot be used.' },
  bad_fragment: { status: 400, meaning: 'The SDP fragment (RFC 8840) cannot be used.' },
  no_video: { status: 422, meaning: 'The offer has no video that can be used.' },
  no_codec: { status: 406, meaning: 'The offer has no video codec that can be used.' },
  no_h264_packages: {
    status: 500,
    meaning: 'The packages for H.264 are not published for this machine, or do not load.',
  },
  no_ice_restart: { status: 422, meaning: 'A session in H.264 cannot restart ICE; a new offer begins a new session.' },
  ports_taken: { status: 503, meaning: 'Every UDP port of `webrtc.portMin` to `portMax` is taken.' },
  tag_missing: { status: 428, meaning: 'A PATCH without `If-Match`.' },
  tag_old: { status: 412, meaning: 'The ETag in `If-Match` is of an ICE session that is over.' },

  // LiveKit
  no_livekit: { status: 409, meaning: 'No LiveKit is set (`livekit.url`), so that there is no cluster.' },
  livekit_refused: { status: 502, meaning: 'LiveKit refused `livekit.key` or `livekit.secret`.' },
  livekit_unreachable: { status: 502, meaning: 'LiveKit cannot be reached at `livekit.url`, or failed.' },
  no_livekit_packages: {
    status: 500,
    meaning: 'The packages for LiveKit’s media are not installed, not published for this machine, or do not load.',
  },

  // Faces and pictures
  unknown_face: { status: 404, meaning: 'There is no face with that id.' },
  unknown_background: { status: 404, meaning: 'There is no background with that id.' },
  background_damaged: { status: 410, meaning: 'The picture of a background was damaged on disk.' },
  face_damaged: { status: 410, meaning: 'The photos of a face were damaged on disk, or are gone.' },
  built_in_face: { status: 403, meaning: 'A shipped face cannot be changed or deleted.' },
  too_many_faces: { status: 507, meaning: 'There are as many faces as `limits.faces` allows.' },
  too_many_photos: { status: 409, meaning: 'The face has as many photos as help.' },
  disclosure_not_acknowledged: {
    status: 422,
    meaning: 'A change that leaves the mark off, without the statement that the duty to disclose is known.',
  },
  consent_due: {
    status: 409,
    meaning: 'The consent for a face is not recorded, or old: it has to be confirmed again.',
  },
  face_blocked: { status: 403, meaning: 'The person of the face asked that this server does not take it.' },
  bad_pack: { status: 422, meaning: 'The upload is no pack of faces that can be read, or it holds too much.' },
  no_own_faces: { status: 404, meaning: 'There are no faces to export, as none was added.' },
  unknown_photo: { status: 404, meaning: 'The face has no photo of that number.' },
  unknown_blocked_face: { status: 404, meaning: 'The list of blocked faces has no entry with that id.' },
  too_many_blocked_faces: { status: 507, meaning: 'The list of blocked faces has as many entries as it can.' },
  block_list_damaged: { status: 500, meaning: 'The list of blocked faces cannot be read; without it nothing starts.' },
  consent_missing: { status: 422, meaning: 'An upload without the statement that the face may be used.' },
  no_file: { status: 422, meaning: 'An upload without a picture.' },
  picture_too_large: { status: 413, meaning: 'The picture has too many bytes or pixels.' },
  picture_too_slow: { status: 422, meaning: 'The picture takes longer to decode than `limits.pictureTimeoutMs`.' },
  bad_picture: { status: 415, meaning: 'The file is not a picture that can be read.' },
  no_face: { status: 422, meaning: 'No usable face is in the picture or in the photos of a face.' },
  several_faces: {
    status: 409,
    meaning: 'The picture shows several faces; `details` has their boxes, `pick` chooses one.',
  },
  no_such_face: { status: 422, meaning: '`pick` is higher than the number of faces in the picture.' },
  face_turned: { status: 422, meaning: 'The face is turned too far from the camera.' },
  face_too_small: { status: 422, meaning: 'The face has too few pixels.' },
  preview_failed: { status: 500, meaning: 'A face could not be drawn for its preview.' },

  // Looking inside
  profile_running: { status: 409, meaning: 'A CPU profile is being recorded already; one at a time is.' },
  unknown_thread: { status: 404, meaning: 'There is no thread of that name: `main`, or a lane from `lane-0` on.' },

  // Recordings
  unknown_recording: { status: 404, meaning: 'There is no recording with that name.' },
  already_recording: { status: 409, meaning: 'The session is being recorded already.' },
  not_recording: { status: 404, meaning: 'The session has not been recorded.' },
  bad_format: { status: 400, meaning: 'Recordings cannot be written in that format.' },
  recording_failed: { status: 500, meaning: 'ffmpeg ended the recording.' },
  recordings_full: { status: 507, meaning: 'The recordings take as much room as `recording.maxMb` allows.' },
  recordings_unwritable: { status: 500, meaning: 'The folder of the recordings cannot be written.' },
  disk_full: { status: 507, meaning: 'The disk has too little room left for what is to be written.' },
  no_ffmpeg: { status: 503, meaning: 'ffmpeg is needed and not installed.' },
  no_encoder: { status: 503, meaning: 'The installed ffmpeg lacks an encoder that is needed.' },

  // Cache
  unknown_kind: { status: 404, meaning: 'The cache holds nothing of that kind.' },
  not_ours: { status: 403, meaning: 'FaceOff deletes from the cache only what it made.' },
  not_moved: { status: 500, meaning: 'The data of an older installation cannot be moved to storage.dir.' },

  // Models and engines
  unknown_model: { status: 404, meaning: 'The catalogue has no model with that name and role.' },
  model_missing: { status: 409, meaning: 'The file of a model that was asked for is not on this machine.' },
  shipped_model_missing: { status: 500, meaning: 'The file of a model that FaceOff ships cannot be read.' },
  model_differs: { status: 500, meaning: 'The file of a model is not the expected one, by its SHA-256.' },
  model_unfit: { status: 500, meaning: 'The graph of a model does not fit its profile.' },
  model_unusable: { status: 500, meaning: 'ONNX Runtime cannot read or run the model.' },
  model_closed: { status: 500, meaning: 'A model was used after it was closed.' },
  model_busy: { status: 500, meaning: 'A model was run while it was running.' },
  content_check_lost: { status: 500, meaning: 'The process of the content check ended or hung; it is started again.' },
  engine_failed: {
    status: 500,
    meaning: 'A generator cannot be used for now, and the reserve serves in live sessions.',
  },
  engine_slow: { status: 500, meaning: 'A generator takes longer than a frame may, and the reserve serves.' },
  engine_unusable: { status: 500, meaning: '`faceoff render` was asked for a generator that does not load.' },
  restorer_failed: { status: 500, meaning: 'The restorer cannot be used for now; faces are not restored.' },
  build_failed: { status: 500, meaning: 'A TensorRT engine or an optimised model could not be built.' },
  nothing_made: { status: 500, meaning: 'A build ended without a file and without an error.' },
  too_late: { status: 500, meaning: 'A generator did not answer before the deadline of its frame.' },
  bad_catalogue: { status: 500, meaning: '`models.yaml` cannot be read or lacks a model that every lane needs.' },
  not_served: { status: 500, meaning: 'The address of a model does not serve it, or the model has none.' },
  no_network: { status: 500, meaning: 'A model could not be fetched.' },
  licence_not_accepted: { status: 500, meaning: '`models fetch` without `--accept-licence`.' },
  no_gpu_libraries: { status: 500, meaning: 'There are no CUDA libraries for this platform.' },

  // Runtime
  runtime_missing: { status: 500, meaning: 'The library of ONNX Runtime cannot be loaded.' },
  runtime_differs: { status: 500, meaning: 'The library of ONNX Runtime has another version than the one expected.' },
  provider_unavailable: { status: 503, meaning: 'An execution provider cannot be used on this machine.' },
  out_of_memory: { status: 503, meaning: 'A model ran out of memory.' },
  device_lost: { status: 503, meaning: 'The GPU or the device process is gone; it is being started again.' },
  run_terminated: { status: 503, meaning: 'A run of a model was ended from outside.' },
  tensor_gone: { status: 500, meaning: 'The memory of a tensor was moved to another thread.' },
  bad_device_message: {
    status: 500,
    meaning: 'A message to the device process does not have the form of its protocol.',
  },
  lane_lost: { status: 500, meaning: 'A lane’s thread died; it is being replaced.' },
  lane_ended: { status: 500, meaning: 'A lane was asked after it was ended.' },
  frame_too_large: { status: 500, meaning: 'A part of a frame is larger than the kernels’ memory for one.' },
  kernel_memory: { status: 500, meaning: 'The kernels have no memory left.' },
  kernel_order: { status: 500, meaning: 'A kernel ran before a part of a frame was loaded.' },

  // Commands
  bad_config: {
    status: 500,
    meaning: 'The configuration cannot be used; the message has one line for each thing wrong.',
  },
  bad_arguments: { status: 500, meaning: 'The arguments of a command cannot be used together.' },
  cannot_listen: { status: 500, meaning: 'The server cannot listen on its host and port.' },
  same_file: { status: 500, meaning: 'Input and output of a command are the same file.' },
  bad_output: { status: 500, meaning: 'The output cannot be written in the format of its name.' },
  bad_clip: { status: 500, meaning: 'A clip cannot be read or written.' },
  too_long: { status: 500, meaning: 'An animation has more pictures than can be written.' },
  no_input: { status: 500, meaning: 'The input does not exist or cannot be read.' },
  input_failed: { status: 500, meaning: 'ffmpeg cannot read the input.' },
  input_ended: { status: 500, meaning: 'The input of `faceoff camera` ended.' },
  output_failed: { status: 500, meaning: 'ffmpeg cannot write the output.' },
  ffmpeg_lacks: { status: 500, meaning: 'The installed ffmpeg lacks a protocol or format that the output needs.' },
  no_device: { status: 500, meaning: 'There is no camera with that name.' },
  not_a_camera: { status: 500, meaning: 'The device gives no pictures.' },
  no_loopback: { status: 500, meaning: 'There is no virtual camera with that name.' },
  not_loopback: { status: 500, meaning: 'The device is no virtual camera.' },
  device_busy: { status: 500, meaning: 'Another program uses the camera.' },
  device_denied: { status: 500, meaning: 'The user may not use the camera.' },
  no_server: {
    status: 500,
    meaning: 'The server that `faceoff camera` is to watch or to publish to cannot be reached.',
  },
  follow_lost: { status: 500, meaning: 'The connection to that server is lost.' },
  follow_refused: { status: 500, meaning: 'That server refused the stream.' },
  no_systemd: { status: 500, meaning: 'systemd does not run here, so that `faceoff service` can do nothing.' },
  needs_root: {
    status: 500,
    meaning: 'A service of the machine was to be changed without root, or one of a person as root.',
  },
  bad_place: { status: 500, meaning: 'FaceOff or Node is in a folder that a service of the machine cannot read.' },
  foreign_unit: { status: 500, meaning: 'There is a unit `faceoff.service` that FaceOff did not write.' },
  report_not_written: { status: 500, meaning: 'The file of `faceoff report` cannot be written.' },
  service_failed: { status: 500, meaning: 'The unit cannot be written, or systemctl refused it.' },
} as const satisfies Record<string, ErrorEntry>;

/** The code of an error: a key of the catalogue. */
export type ErrorCode = keyof typeof ERRORS;

/** True if a text, for instance from another server, is a code of this catalogue. */
export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERRORS, code);
