"""Models behind an OpenAI-compatible HTTP API: vLLM, SGLang, llama.cpp, Ollama, TGI, `transformers serve`."""

from saltus.models.http.model import HttpModel

__all__ = ["HttpModel"]
