"""What PPO publishes is an ordinary model to others: transformers loads it by name, and its server answers with it."""

import http.client
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from language.chat import render_prompt
from policy.ppo import main
from policy.ppo_config import PpoConfig
from tests.policy.factories import make_messages
from tests.sampler.model_servers import ModelServer


@pytest.fixture
def published(config: PpoConfig) -> Path:
    main(replace(config, updates=1))
    return config.out


def greedy(directory: Path) -> str:
    """The answer by nothing but transformers."""
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForCausalLM.from_pretrained(directory)
    messages = [{"role": "user", "content": "Hello!"}]
    asked = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    assert asked["input_ids"][0].tolist() == render_prompt(tokenizer, make_messages("Hello!"))
    with torch.no_grad():
        answer = model.generate(**asked, do_sample=False, max_new_tokens=8)
    return str(tokenizer.decode(answer[0, asked["input_ids"].shape[1] :], skip_special_tokens=True))


@pytest.mark.chaos
def test_transformers_loads_it_and_its_server_answers_the_same(published: Path, tmp_path: Path) -> None:
    server = ModelServer.start(published, tmp_path / "log").wait_until_ready()
    try:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        question = {
            "model": str(published),
            "messages": [{"role": "user", "content": "Hello!"}],
            "temperature": 0,
            "max_tokens": 8,
            "stream": False,
        }
        connection.request("POST", "/v1/chat/completions", json.dumps(question), {"Content-Type": "application/json"})
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        answer = json.loads(body)["choices"][0]["message"]["content"]
    finally:
        server.stop()
    assert answer.strip() == greedy(published).strip()
