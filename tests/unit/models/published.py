"""Models and GGUF files as published: shapes from config.json, sizes from the Hub and Ollama."""

from __future__ import annotations

from provision.models.shape import Experts, Latent, Shape

SHAPES: dict[str, Shape] = {
    "Llama-3.1-8B": Shape("llama", 32, 4096, 32, 8, 128, 14336, 128256),
    "Llama-3.1-70B": Shape("llama", 80, 8192, 64, 8, 128, 28672, 128256),
    "Llama-3.1-405B": Shape("llama", 126, 16384, 128, 8, 128, 53248, 128256),
    "Llama-3.2-1B": Shape("llama", 16, 2048, 32, 8, 64, 8192, 128256, tied=True),
    "Llama-3.2-3B": Shape("llama", 28, 3072, 24, 8, 128, 8192, 128256, tied=True),
    "Llama-4-Scout": Shape(
        "llama4", 48, 5120, 40, 8, 128, 0, 202048, experts=Experts(16, 1, 8192, 8192)
    ),
    "Qwen2.5-0.5B": Shape("qwen2", 24, 896, 14, 2, 64, 4864, 151936, tied=True),
    # Qwen's own files repeat the input table as the head.
    "Qwen2.5-0.5B by Qwen": Shape("qwen2", 24, 896, 14, 2, 64, 4864, 151936),
    "Qwen2.5-1.5B": Shape("qwen2", 28, 1536, 12, 2, 128, 8960, 151936, tied=True),
    "Qwen2.5-3B": Shape("qwen2", 36, 2048, 16, 2, 128, 11008, 151936, tied=True),
    "Qwen2.5-7B": Shape("qwen2", 28, 3584, 28, 4, 128, 18944, 152064),
    "Qwen2.5-14B": Shape("qwen2", 48, 5120, 40, 8, 128, 13824, 152064),
    "Qwen2.5-32B": Shape("qwen2", 64, 5120, 40, 8, 128, 27648, 152064),
    "Qwen2.5-72B": Shape("qwen2", 80, 8192, 64, 8, 128, 29568, 152064),
    "Qwen1.5-MoE": Shape(
        "qwen2moe", 24, 2048, 16, 16, 128, 0, 151936, experts=Experts(60, 4, 1408, 5632)
    ),
    "Qwen3-0.6B": Shape("qwen3", 28, 1024, 16, 8, 128, 3072, 151936, tied=True),
    "Qwen3-1.7B": Shape("qwen3", 28, 2048, 16, 8, 128, 6144, 151936, tied=True),
    "Qwen3-4B": Shape("qwen3", 36, 2560, 32, 8, 128, 9728, 151936, tied=True),
    "Qwen3-8B": Shape("qwen3", 36, 4096, 32, 8, 128, 12288, 151936),
    "Qwen3-14B": Shape("qwen3", 40, 5120, 40, 8, 128, 17408, 151936),
    "Qwen3-32B": Shape("qwen3", 64, 5120, 64, 8, 128, 25600, 151936),
    "Qwen3-30B-A3B": Shape(
        "qwen3moe", 48, 2048, 32, 4, 128, 0, 151936, experts=Experts(128, 8, 768)
    ),
    "Qwen3-235B-A22B": Shape(
        "qwen3moe", 94, 4096, 64, 4, 128, 0, 151936, experts=Experts(128, 8, 1536)
    ),
    "Mistral-7B-v0.1": Shape("llama", 32, 4096, 32, 8, 128, 14336, 32000),
    "Mistral-7B-v0.3": Shape("llama", 32, 4096, 32, 8, 128, 14336, 32768),
    "Mistral-Nemo": Shape("llama", 40, 5120, 32, 8, 128, 14336, 131072),
    "Mistral-Small-22B": Shape("llama", 56, 6144, 48, 8, 128, 16384, 32768),
    "Mistral-Small-24B": Shape("llama", 40, 5120, 32, 8, 128, 32768, 131072),
    "Ministral-3-3B": Shape("mistral3", 26, 3072, 32, 8, 128, 9216, 131072, tied=True),
    "Mixtral-8x7B": Shape("llama", 32, 4096, 32, 8, 128, 0, 32000, experts=Experts(8, 2, 14336)),
    "Gemma-2-2B": Shape("gemma2", 26, 2304, 8, 4, 256, 9216, 256000, tied=True),
    "Gemma-2-9B": Shape("gemma2", 42, 3584, 16, 8, 256, 14336, 256000, tied=True),
    "Gemma-3-1B": Shape("gemma3", 26, 1152, 4, 1, 256, 6912, 262144, tied=True),
    "Gemma-3-4B": Shape("gemma3", 34, 2560, 8, 4, 256, 10240, 262208, tied=True),
    "Gemma-3-12B": Shape("gemma3", 48, 3840, 16, 8, 256, 15360, 262208, tied=True),
    "Gemma-3-27B": Shape("gemma3", 62, 5376, 32, 16, 128, 21504, 262208, tied=True),
    "Phi-2": Shape("phi2", 32, 2560, 32, 32, 80, 10240, 51200),
    "Phi-3.5-mini": Shape("phi3", 32, 3072, 32, 32, 96, 8192, 32064),
    "Phi-4-mini": Shape("phi3", 32, 3072, 24, 8, 128, 8192, 200064, tied=True),
    "Phi-4": Shape("phi3", 40, 5120, 40, 10, 128, 17920, 100352),
    "gpt-oss-20b": Shape("gpt-oss", 24, 2880, 64, 8, 64, 0, 201088, experts=Experts(32, 4, 2880)),
    "gpt-oss-120b": Shape("gpt-oss", 36, 2880, 64, 8, 64, 0, 201088, experts=Experts(128, 4, 2880)),
    "DeepSeek-V2-Lite": Shape(
        *("deepseek2", 27, 2048, 16, 16, 192, 10944, 102400),
        experts=Experts(64, 6, 1408, 2816, 1),
        latent=Latent(512, 64, 128, 128),
    ),
    "Moonlight-16B-A3B": Shape(
        *("deepseek2", 27, 2048, 16, 16, 192, 11264, 163840),
        experts=Experts(64, 6, 1408, 2816, 1),
        latent=Latent(512, 64, 128, 128),
    ),
    "DeepSeek-R1": Shape(
        *("deepseek2", 61, 7168, 128, 128, 192, 18432, 129280),
        experts=Experts(256, 8, 2048, 2048, 3),
        latent=Latent(512, 64, 128, 128, 1536),
    ),
    "Command-R-35B": Shape("command-r", 40, 8192, 64, 64, 128, 22528, 256000, tied=True),
    "Aya-Expanse-8B": Shape("command-r", 32, 4096, 32, 8, 128, 14336, 256000, tied=True),
    "Command-R7B": Shape("cohere2", 32, 4096, 32, 8, 128, 14336, 256000, tied=True),
    "StarCoder2-3B": Shape("starcoder2", 30, 3072, 24, 2, 128, 12288, 49152, tied=True),
    "Falcon-7B": Shape("falcon", 32, 4544, 71, 1, 64, 18176, 65024),
    "GLM-4-9B-0414": Shape("glm4", 40, 4096, 32, 2, 128, 13696, 151552),
    "GLM-4-9B-Chat": Shape("chatglm", 40, 4096, 32, 2, 128, 13696, 151552),
    "Nemotron-Mini-4B": Shape("nemotron", 32, 3072, 24, 8, 128, 9216, 256000),
    "OLMo-2-1B": Shape("olmo2", 16, 2048, 16, 16, 128, 8192, 100352),
    "OLMoE-1B-7B": Shape("olmoe", 16, 2048, 16, 16, 128, 0, 50304, experts=Experts(64, 8, 1024)),
    "Seed-OSS-36B": Shape("seed_oss", 64, 5120, 80, 8, 128, 27648, 155136),
    "StableLM-2-1.6B": Shape("stablelm", 24, 2048, 32, 32, 64, 5632, 100352, attention_bias=True),
    "StableLM-2-12B": Shape("stablelm", 40, 5120, 32, 8, 160, 13824, 100352, qk_norm=True),
    "Granite-3.3-2B": Shape("granite", 40, 2048, 32, 8, 64, 8192, 49159, tied=True),
    "Granite-3.0-8B": Shape("granite", 40, 4096, 32, 8, 128, 12800, 49155, tied=True),
    "SmolLM2-1.7B": Shape("llama", 24, 2048, 32, 32, 64, 8192, 49152, tied=True),
    "SmolLM3-3B": Shape("smollm3", 36, 2048, 16, 4, 128, 11008, 128256, tied=True),
    "EXAONE-4.0-1.2B": Shape("exaone4", 30, 2048, 32, 8, 64, 4096, 102400, tied=True),
    "AFM-4.5B": Shape("arcee", 36, 2560, 20, 4, 128, 18432, 128004),
    "mxbai-embed-large": Shape("bert", 24, 1024, 16, 16, 64, 4096, 30522, context=512),
    "bge-m3": Shape("bert", 24, 1024, 16, 16, 64, 4096, 250002, context=8192),
    "nomic-embed-text": Shape("nomic-bert", 12, 768, 12, 12, 64, 3072, 30528, context=2048),
}

# (model, quantisation, bytes of the whole file). bartowski's files where nothing else is said.
FILES: tuple[tuple[str, str, int], ...] = (
    ("Llama-3.1-8B", "Q2_K", 3179136416),
    ("Llama-3.1-8B", "Q3_K_M", 4018922912),
    ("Llama-3.1-8B", "Q4_K_M", 4920739232),
    ("Llama-3.1-8B", "Q5_K_M", 5732992416),
    ("Llama-3.1-8B", "Q6_K", 6596011424),
    ("Llama-3.1-8B", "Q8_0", 8540775840),
    ("Llama-3.1-70B", "Q2_K", 26375113632),
    ("Llama-3.1-70B", "Q3_K_M", 34267499424),
    ("Llama-3.1-70B", "Q4_K_M", 42520398816),
    ("Llama-3.1-70B", "Q5_K_S", 48657451936),
    ("Llama-3.2-1B", "IQ3_M", 657289344),
    ("Llama-3.2-1B", "Q4_K_M", 807694464),
    ("Llama-3.2-1B", "Q5_K_M", 911503488),
    ("Llama-3.2-1B", "Q6_K", 1021800576),
    ("Llama-3.2-1B", "Q8_0", 1321083008),
    ("Llama-3.2-3B", "IQ3_M", 1599668768),
    ("Llama-3.2-3B", "Q4_K_M", 2019377696),
    ("Llama-3.2-3B", "Q5_K_M", 2322154016),
    ("Llama-3.2-3B", "Q8_0", 3421899296),
    ("Llama-4-Scout", "Q3_K_S", 46740372480),  # unsloth
    ("Qwen2.5-0.5B", "Q4_K_M", 397808192),
    ("Qwen2.5-0.5B by Qwen", "Q2_K", 415182688),
    ("Qwen2.5-0.5B by Qwen", "Q4_K_M", 491400032),
    ("Qwen2.5-0.5B by Qwen", "Q8_0", 675710816),
    ("Qwen2.5-0.5B by Qwen", "F16", 1266425696),
    ("Qwen2.5-1.5B", "Q4_K_M", 986046944),
    ("Qwen2.5-3B", "Q2_K", 1274756256),
    ("Qwen2.5-3B", "Q3_K_M", 1590475936),
    ("Qwen2.5-3B", "Q4_K_M", 1929903264),
    ("Qwen2.5-3B", "Q8_0", 3285476512),
    ("Qwen2.5-7B", "Q2_K", 3015940800),
    ("Qwen2.5-7B", "Q2_K_L", 3548164800),
    ("Qwen2.5-7B", "Q3_K_M", 3808391872),
    ("Qwen2.5-7B", "Q3_K_XL", 4565332672),
    ("Qwen2.5-7B", "Q4_K_M", 4683074240),
    ("Qwen2.5-7B", "Q4_K_L", 5087564480),
    ("Qwen2.5-7B", "Q5_K_M", 5444831936),
    ("Qwen2.5-7B", "Q6_K", 6254199488),
    ("Qwen2.5-7B", "Q6_K_L", 6518182400),
    ("Qwen2.5-7B", "Q8_0", 8098525888),
    ("Qwen2.5-14B", "Q3_K_M", 7339204736),
    ("Qwen2.5-14B", "Q4_K_M", 8988110976),
    ("Qwen2.5-14B", "Q8_0", 15701598336),
    ("Qwen2.5-32B", "Q2_K", 12313099136),
    ("Qwen2.5-32B", "Q4_K_M", 19851336576),
    ("Qwen2.5-32B", "Q5_K_M", 23262157696),
    ("Qwen2.5-32B", "Q8_0", 34820885376),
    ("Qwen2.5-72B", "Q4_K_M", 47415715488),
    ("Qwen1.5-MoE", "Q4_K_M", 9496238048),  # duyntnet
    ("Qwen3-0.6B", "Q8_0", 639446688),  # Qwen
    ("Qwen3-1.7B", "Q8_0", 1834426016),  # Qwen
    ("Qwen3-4B", "Q4_K_M", 2497280256),  # Qwen
    ("Qwen3-8B", "Q4_K_M", 5027783488),  # Qwen
    ("Qwen3-14B", "Q4_K_M", 9001752960),  # Qwen
    ("Qwen3-32B", "Q4_K_M", 19762149024),
    ("Qwen3-30B-A3B", "Q4_K_M", 18556685824),  # Qwen
    ("Mistral-7B-v0.1", "Q4_0", 4108916384),  # TheBloke
    ("Mistral-7B-v0.3", "IQ1_M", 1757663392),  # MaziyarPanahi, as the next six
    ("Mistral-7B-v0.3", "Q2_K", 2722877600),
    ("Mistral-7B-v0.3", "Q3_K_M", 3522941088),
    ("Mistral-7B-v0.3", "Q4_K_M", 4372811936),
    ("Mistral-7B-v0.3", "Q5_K_M", 5136175264),
    ("Mistral-7B-v0.3", "Q6_K", 5947248800),
    ("Mistral-7B-v0.3", "Q8_0", 7702565024),
    ("Mistral-Nemo", "Q2_K", 4791051392),
    ("Mistral-Nemo", "Q4_K_M", 7477208192),
    ("Mistral-Nemo", "Q8_0", 13022372992),
    ("Mistral-Small-22B", "Q3_K_M", 10756830208),
    ("Mistral-Small-22B", "Q4_K_M", 13341242368),
    ("Mistral-Small-24B", "Q2_K", 8890324672),
    ("Mistral-Small-24B", "Q4_K_M", 14333908672),
    ("Mistral-Small-24B", "Q5_K_M", 16763983552),
    ("Ministral-3-3B", "Q4_K_M", 2147023008),  # mistralai
    ("Mixtral-8x7B", "IQ2_S", 14125794688),  # Artefact2, as the next four
    ("Mixtral-8x7B", "Q4_K_S", 26743522688),
    ("Mixtral-8x7B", "Q4_K_M", 28446410112),
    ("Mixtral-8x7B", "Q5_K_M", 33227523456),
    ("Mixtral-8x7B", "Q6_K", 38378759552),
    ("Mixtral-8x7B", "Q2_K", 17309173632),  # MaziyarPanahi, as the next two
    ("Mixtral-8x7B", "Q3_K_M", 22544394112),
    ("Mixtral-8x7B", "Q8_0", 49624262528),
    ("Gemma-2-2B", "Q4_K_M", 1708582752),
    ("Gemma-2-9B", "Q2_K", 3805397952),
    ("Gemma-2-9B", "Q4_K_M", 5761057728),
    ("Gemma-3-1B", "Q4_K_M", 806058496),
    ("Gemma-3-4B", "Q4_K_M", 2489758112),
    ("Gemma-3-12B", "Q4_K_M", 7300575264),
    ("Gemma-3-27B", "Q4_K_M", 16546404992),
    ("Gemma-3-27B", "Q6_K", 22166690432),
    ("Phi-2", "Q4_K_M", 1789239136),  # TheBloke
    ("Phi-3.5-mini", "Q4_K_M", 2393232672),
    ("Phi-4-mini", "Q4_K_M", 2491874688),
    ("Phi-4", "Q4_K_M", 9053114816),
    ("Phi-4", "Q4_K_L", 9434452416),
    ("Phi-4", "Q5_K_L", 10921300416),
    ("gpt-oss-20b", "MXFP4", 12109566624),  # ggml-org
    ("gpt-oss-20b", "MXFP4-BF16", 13780173724),  # Ollama
    ("gpt-oss-120b", "MXFP4", 63387346208),  # ggml-org
    ("DeepSeek-V2-Lite", "Q4_K_M", 10364416768),
    ("DeepSeek-V2-Lite", "Q5_K_M", 11851313920),
    ("Moonlight-16B-A3B", "Q4_K_M", 10540747360),  # gabriellarson
    ("DeepSeek-R1", "Q4_K_M", 404430188519),  # Ollama
    ("Command-R-35B", "Q4_K_S", 20378326880),  # andrewcanis
    ("Command-R-35B", "Q4_K_M", 21527055424),  # newsletter
    ("Aya-Expanse-8B", "Q4_K_M", 5056982720),
    ("Command-R7B", "Q4_K_M", 5057009792),
    ("Command-R7B", "Q4_K_L", 5310962336),
    ("Command-R7B", "Q8_0", 8541100704),
    ("StarCoder2-3B", "Q4_K_M", 1887905664),  # mradermacher
    ("Falcon-7B", "Q4_K_M", 4975127552),  # mradermacher
    ("GLM-4-9B-0414", "Q4_K_M", 6166574944),  # unsloth
    ("GLM-4-9B-Chat", "Q4_K_M", 6250926848),
    ("Nemotron-Mini-4B", "Q4_K_M", 2697387072),
    ("OLMo-2-1B", "Q4_K_M", 935515296),  # allenai
    ("OLMoE-1B-7B", "Q4_K_M", 4213512672),  # allenai
    ("Seed-OSS-36B", "Q4_K_M", 21762149024),
    ("StableLM-2-1.6B", "Q4_K_M", 1031442496),  # mradermacher
    ("StableLM-2-12B", "Q2_K", 4698894176),  # second-state, as the next two
    ("StableLM-2-12B", "Q4_K_M", 7367642976),
    ("StableLM-2-12B", "Q8_0", 12907687776),
    ("Granite-3.3-2B", "Q4_K_M", 1545303328),  # ibm-granite
    ("Granite-3.0-8B", "Q2_K", 3103588576),
    ("Granite-3.0-8B", "Q3_K_L", 4349427936),
    ("Granite-3.0-8B", "Q4_K_M", 4942856416),
    ("SmolLM2-1.7B", "Q4_K_M", 1055609824),
    ("SmolLM3-3B", "Q4_K_M", 1915306528),  # unsloth
    ("EXAONE-4.0-1.2B", "Q4_K_M", 812437792),  # LGAI-EXAONE
    ("AFM-4.5B", "Q4_K_M", 2916301824),  # arcee-ai
    ("mxbai-embed-large", "F16", 669603712),  # ChristianAzinn
    ("bge-m3", "Q4_K_M", 437778496),
    ("bge-m3", "Q2_K", 366114880),
    ("nomic-embed-text", "F16", 274290560),  # nomic-ai
    ("nomic-embed-text", "Q8_0", 146146432),  # nomic-ai
)
