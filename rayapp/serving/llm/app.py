"""RedOne behind the OpenAI protocol, as a Serve application: `import_path: rayapp.serving.llm.app:build`.

`ray.serve.llm` with a vLLM engine; the engine's settings stand in the Serve
YAML. Added here: the guard that stands before every other route, checks of
what the engine fails on, errors without the inside in them, and a warm-up
before the replica reports ready (an engine's first answers take ten times as
long as the rest).
"""

from __future__ import annotations

import os
from typing import Any

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from ray import serve
from ray.llm._internal.serve.core.configs.openai_api_models import to_model_metadata
from ray.llm._internal.serve.core.ingress.ingress import init
from ray.serve import Application
from ray.serve.llm import LLMConfig
from ray.serve.llm.deployment import LLMServer
from ray.serve.llm.ingress import OpenAiIngress, make_fastapi_ingress
from ray.serve.llm.openai_api_models import ChatCompletionRequest, CompletionRequest
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from rayapp import env
from rayapp.config import Config, load_config
from rayapp.llm.base_model import model_folder
from rayapp.llm.language_model import openmp
from rayapp.serving.llm.engine_cores import environment, settle
from rayapp.serving.llm.openai_errors import OpenAiErrors, answer, openai_error
from rayapp.serving.llm.openai_requests import MAX_BODY, Limits, OpenAiRequests
from rayapp.serving.middleware.guard import Guard, Intake
from rayapp.serving.middleware.keys import ApiKeys
from rayapp.serving.middleware.origins import Origins
from rayapp.serving.open_door import refuse_open_door
from rayapp.serving.replica_port import close_replica_port

close_replica_port()

WARM_SCHEMA = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 4}}, "required": ["a"]}


class WarmServer(LLMServer):
    """Answers once in every way that the system asks before anybody waits for it."""

    async def _start_engine(self) -> None:
        # Without the usage report of ray.serve.llm, whose agent is one more process that imports everything.
        assert self.engine is not None, "LLMServer makes the engine before it starts it"
        await self.engine.start()
        await self._warm_up()
        settle()

    async def _warm_up(self) -> None:
        model = self._llm_config.model_id
        plain = CompletionRequest(model=model, prompt=["Warm up.", "Warm"], max_tokens=1, logprobs=1)
        shaped = ChatCompletionRequest(
            model=model,
            messages=[{"role": "user", "content": "Warm up."}],
            max_tokens=16,
            response_format={"type": "json_schema", "json_schema": {"name": "warm", "schema": WARM_SCHEMA}},
        )
        for answers in (await self.completions(plain, None), await self.chat(shaped, None)):
            async for _ in answers:
                pass


async def http_error(_request: Request, error: Exception) -> JSONResponse:
    """FastAPI's own errors (an unknown path) in OpenAI's shape."""
    assert isinstance(error, HTTPException)
    answer = openai_error(error.status_code, str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


def openai_app(config: Config, context: int | None) -> FastAPI:
    """`ray.serve.llm`'s application behind this system's guard. `context`: tokens of a prompt and its answer."""
    app = init()
    # It answers every page of every site, with credentials.
    app.user_middleware = [one for one in app.user_middleware if one.cls is not CORSMiddleware]
    app.add_exception_handler(HTTPException, http_error)
    app.add_middleware(OpenAiErrors)  # what is added last is outermost
    app.add_middleware(OpenAiRequests, limits=Limits(config.llm.name, context))
    serving, keys = config.serving, config.api_keys
    app.add_middleware(
        Guard,
        answer=answer,
        keys=ApiKeys(keys),
        origins=Origins(serving.origins, hosts=None if keys else serving.hosts),
        intake=lambda _path: Intake(MAX_BODY),
    )
    return app


def llm_config(config: Config, args: dict[str, Any]) -> LLMConfig:
    """`args` of the Serve YAML: engine, server, bundles, accelerator, env, cores, nice, lora.

    The model is the system config's. `cores`: those that the engine's processes are pinned to; `nice`: how far they
    step back when others want a core (0 to 19); `lora`: ray.serve.llm's LoraConfig, adapters loaded by name.
    """
    folder = model_folder(config.llm.model, config.llm_cache)
    env = {"HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "0"), **args.get("env", {})}
    env |= environment(args.get("cores"), args.get("nice"))
    if openmp():
        env.setdefault("LD_PRELOAD", openmp())
    return LLMConfig(
        model_loading_config={"model_id": config.llm.name, "model_source": folder},
        engine_kwargs=args.get("engine", {}),
        deployment_config=args.get("server", {}),
        placement_group_config={"bundles": args["bundles"]} if args.get("bundles") else None,
        accelerator_type=args.get("accelerator"),
        runtime_env={"env_vars": env},
        server_cls=WarmServer,
        lora_config=args.get("lora"),
        log_engine_metrics=True,
    )


def build(args: dict[str, Any]) -> Application:
    """`args.config`: the system's config file (default: RAYAPP_CONFIG); the rest see `llm_config`."""
    from ray.serve.llm import build_llm_deployment

    config = load_config(args.get("config") or env.read().config)
    refuse_open_door(config)
    engine = llm_config(config, args)
    app = openai_app(config, args.get("engine", {}).get("max_model_len"))
    ingress = serve.deployment(make_fastapi_ingress(OpenAiIngress, app=app)).options(
        name="openai", **{**OpenAiIngress.get_deployment_options([engine]), **args.get("ingress", {})}
    )
    return ingress.bind(
        llm_deployments={engine.model_id: build_llm_deployment(engine)},
        model_cards={engine.model_id: to_model_metadata(engine.model_id, engine)},
    )
