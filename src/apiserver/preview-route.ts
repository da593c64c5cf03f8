import { definitionOf } from '../api/scheme.ts'
import type { SourcePreviewer } from '../api/source-preview.ts'
import type { Registry } from '../registry/registry.ts'
import { resourcePaths } from './resource-routes.ts'
import { jsonAnswer, type Route } from './route.ts'

/** GET …/manifestsources/NAME/preview: what the source would change now. */
export function previewRoute(registry: Registry, preview: SourcePreviewer): Route {
  const definition = definitionOf('ManifestSource')
  return {
    path: `${resourcePaths(definition).item}/preview`,
    patient: true,
    methods: {
      GET: async ({ parameters, signal }) => {
        const { namespace = '', name = '' } = parameters
        return jsonAnswer(await preview(await registry.get(definition, { namespace, name }), signal))
      },
    },
  }
}
