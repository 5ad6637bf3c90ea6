// Written by provision: which instances a request goes to, by the `model` in its body.

const ROUTES = {
    "root": {
        "listed": [
            "Qwen2.5-32B-Instruct-Q4_K_M",
            "llama3.1:8b"
        ],
        "pools": [
            {
                "location": "@provision_root.chat",
                "models": [
                    "Qwen2.5-32B-Instruct-Q4_K_M",
                    "Qwen2.5-32B-Instruct-Q4_K_M.gguf",
                    "/srv/models/Qwen2.5-32B-Instruct-Q4_K_M.gguf"
                ],
                "paths": [
                    "/apply-template",
                    "/chat/completions",
                    "/completion",
                    "/completions",
                    "/detokenize",
                    "/embedding",
                    "/embeddings",
                    "/infill",
                    "/rerank",
                    "/reranking",
                    "/tokenize",
                    "/v1/chat/completions",
                    "/v1/completions",
                    "/v1/embeddings",
                    "/v1/messages",
                    "/v1/messages/count_tokens",
                    "/v1/models",
                    "/v1/rerank",
                    "/v1/reranking",
                    "/v1/responses"
                ]
            },
            {
                "location": "@provision_root.small",
                "models": [
                    "llama3.1:8b",
                    "registry.ollama.ai/library/llama3.1:8b",
                    "library/llama3.1:8b"
                ],
                "paths": [
                    "/api/chat",
                    "/api/embed",
                    "/api/embeddings",
                    "/api/generate",
                    "/api/ps",
                    "/api/show",
                    "/api/tags",
                    "/api/version",
                    "/v1/chat/completions",
                    "/v1/completions",
                    "/v1/embeddings",
                    "/v1/messages",
                    "/v1/models",
                    "/v1/models/",
                    "/v1/responses"
                ]
            }
        ],
        "prefix": ""
    }
};

function dispatch(r) {
    const route = ROUTES[r.variables.provision_route];
    const model = modelOf(r);
    const pool = typeof model === 'string'
        ? route.pools.find((one) => one.models.includes(model))
        : undefined;
    if (pool === undefined) {
        refuse(r, model === undefined
            ? `the request names no model; served: ${route.listed.join(', ')}`
            : `the model ${JSON.stringify(model)} is not served; served: ${route.listed.join(', ')}`);
        return;
    }
    const path = r.uri.slice(route.prefix.length);
    if (!pool.paths.some((one) => one === path || (one.endsWith('/') && path.startsWith(one)))) {
        refuse(r, `the instances of ${model} do not serve ${path}`);
        return;
    }
    r.variables.provision_model = model;
    r.internalRedirect(pool.location);
}

// GET /v1/models is answered here; so is /v1/models/NAME.
function models(r) {
    const route = ROUTES[r.variables.provision_route];
    const path = r.uri.slice(route.prefix.length);
    const name = path.slice('/v1/models/'.length);
    if (name === '') {
        answer(r, 200, { object: 'list', data: route.listed.map(entry) });
    } else if (route.pools.some((one) => one.models.includes(name))) {
        answer(r, 200, entry(name));
    } else {
        refuse(r, `the model ${JSON.stringify(name)} is not served; served: ${route.listed.join(', ')}`);
    }
}

function entry(name) {
    return { id: name, object: 'model', created: 0, owned_by: 'provision' };
}

// The whole body is in memory: client_body_buffer_size is as large as a body may be.
function modelOf(r) {
    const body = r.requestText;
    if (!body) {
        return undefined;
    }
    const type = r.headersIn['Content-Type'] || '';
    if (type.toLowerCase().startsWith('multipart/form-data')) {
        const field = /name="?model"?(?:;[^\r\n]*)?\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]*)\r\n/i.exec(body);
        return field === null ? undefined : field[1];
    }
    try {
        const asked = JSON.parse(body);
        return asked === null || typeof asked !== 'object' ? undefined : asked.model;
    } catch (e) {
        return undefined;
    }
}

function refuse(r, message) {
    answer(r, 404, { error: { message: message, type: 'not_found_error', code: 404 } });
}

function answer(r, status, value) {
    r.headersOut['Content-Type'] = 'application/json';
    r.return(status, JSON.stringify(value) + '\n');
}

export default { dispatch, models };
