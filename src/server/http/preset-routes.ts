import type { FastifyInstance } from 'fastify';
import type { PresetStore } from '../session/presets.ts';
import { presetFrom } from '../session/session-settings.ts';
import { acceptAnyBody, jsonOf } from './json-body.ts';

/** `/api/presets`: list, save and delete named settings. A plugin, because it parses bodies in its own way. */
export function presetRoutes(app: FastifyInstance, presets: PresetStore, onChange: () => void): void {
  acceptAnyBody(app);
  app.get('/api/presets', async () => presets.list());

  app.put<{ Params: { name: string } }>('/api/presets/:name', async (request) => {
    const { name } = request.params;
    const saved = await presets.save({ name, settings: presetFrom(jsonOf(request)) });
    onChange();
    return saved;
  });

  app.delete<{ Params: { name: string } }>('/api/presets/:name', async (request, reply) => {
    await presets.remove(request.params.name);
    onChange();
    return reply.code(204).send();
  });
}
