"""The families of networks that `scripts/zoo.py` prunes: a small member of each, and its input.

Weights are random: nothing is downloaded. The smallest member stands for its family, or one of the
same form with fewer and narrower layers where the smallest is large. Images are as small as the
form allows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

Batch: TypeAlias = Tensor | dict[str, Tensor]
"""One argument of the forward pass, or several by keyword."""

N_TOKENS = 250


class Family(NamedTuple):
    """The name of a member, how it is built and how a batch of n samples is drawn."""

    model: str
    network: Callable[[], nn.Module]
    batch: Callable[[int], Batch]


def images(size: int, n_samples: int) -> Batch:
    return torch.randn(n_samples, 3, size, size)


def pixels(size: int, n_samples: int) -> Batch:
    return {"pixel_values": torch.randn(n_samples, 3, size, size)}


def tokens(n_samples: int, length: int = 16) -> Batch:
    """Sentences of several lengths, filled up on the right."""
    lengths = length - torch.arange(n_samples) % (length // 2)
    mask = torch.arange(length) < lengths[:, None]
    drawn = torch.randint(1, N_TOKENS, (n_samples, length))
    return {"input_ids": drawn * mask, "attention_mask": mask.long()}


def torchvision_network(model: str, options: dict[str, Any]) -> nn.Module:
    from torchvision import models

    network: nn.Module = models.get_model(model, weights=None, **options)
    return network


def torchvision(model: str, size: int = 64, **options: Any) -> Family:
    return Family(model, partial(torchvision_network, model, options), partial(images, size))


def narrow(model: str) -> nn.Module:
    """With a classifier of 512 units where it has 4096, as many layers."""
    network: Any = torchvision_network(model, {})
    for place, layer in enumerate(network.classifier):
        if isinstance(layer, nn.Linear):
            n_in, n_out = (512 if n == 4096 else n for n in (layer.in_features, layer.out_features))
            network.classifier[place] = nn.Linear(n_in, n_out)
    narrowed: nn.Module = network
    return narrowed


def bottlenecks(groups: int, width: int) -> nn.Module:
    """A residual network of eight bottlenecks: 32 groups of 4 are ResNeXt's, one of 128 wide."""
    from torchvision.models.resnet import Bottleneck, ResNet

    network: nn.Module = ResNet(Bottleneck, [2] * 4, groups=groups, width_per_group=width)
    return network


def convnext() -> nn.Module:
    from torchvision.models.convnext import CNBlockConfig, ConvNeXt

    blocks = [CNBlockConfig(24, 48, 2), CNBlockConfig(48, 96, 2), CNBlockConfig(96, None, 2)]
    network: nn.Module = ConvNeXt(blocks)
    return network


def vision_transformer() -> nn.Module:
    from torchvision.models import VisionTransformer

    network: nn.Module = VisionTransformer(64, 16, 3, num_heads=4, hidden_dim=96, mlp_dim=192)
    return network


def swin(version: int) -> nn.Module:
    from torchvision.models import swin_transformer as form

    size: dict[str, Any] = {"embed_dim": 24, "depths": [2, 2, 2], "num_heads": [2, 4, 8]}
    if version == 2:
        size["block"] = form.SwinTransformerBlockV2
        size["downsample_layer"] = form.PatchMergingV2
    network: nn.Module = form.SwinTransformer([4, 4], window_size=[4, 4], **size)
    return network


def maxvit() -> nn.Module:
    from torchvision.models import MaxVit

    network: nn.Module = MaxVit((64, 64), 16, 4, [16, 32], [2, 2], 8, stochastic_depth_prob=0.1)
    return network


TORCHVISION = {
    "alexnet": Family("alexnet, narrow", partial(narrow, "alexnet"), partial(images, 128)),
    "vgg": Family("vgg11_bn, narrow", partial(narrow, "vgg11_bn"), partial(images, 64)),
    "resnet": torchvision("resnet18"),
    "resnext": Family("ResNeXt, 8 blocks", partial(bottlenecks, 32, 4), partial(images, 64)),
    "wide_resnet": Family(
        "Wide ResNet, 8 blocks", partial(bottlenecks, 1, 128), partial(images, 64)
    ),
    "densenet": torchvision("densenet121"),
    "inception": torchvision("inception_v3", 299, init_weights=False),
    "googlenet": torchvision("googlenet", init_weights=False),
    "squeezenet": torchvision("squeezenet1_1"),
    "shufflenet_v2": torchvision("shufflenet_v2_x0_5"),
    "mobilenet_v2": torchvision("mobilenet_v2"),
    "mobilenet_v3": torchvision("mobilenet_v3_small"),
    "mnasnet": torchvision("mnasnet0_5"),
    "efficientnet": torchvision("efficientnet_b0"),
    "efficientnet_v2": torchvision("efficientnet_v2_s"),
    "regnet_x": torchvision("regnet_x_400mf"),
    "regnet_y": torchvision("regnet_y_400mf"),
    "convnext": Family("ConvNeXt, 6 blocks", convnext, partial(images, 64)),
    "vit": Family("VisionTransformer, 3 layers", vision_transformer, partial(images, 64)),
    "swin": Family("SwinTransformer, 6 blocks", partial(swin, 1), partial(images, 64)),
    "swin_v2": Family("SwinTransformer 2, 6 blocks", partial(swin, 2), partial(images, 64)),
    "maxvit": Family("MaxVit, 4 blocks", maxvit, partial(images, 64)),
    "fcn": torchvision("fcn_resnet50", weights_backbone=None),
    "deeplabv3": torchvision("deeplabv3_mobilenet_v3_large", weights_backbone=None),
    "lraspp": torchvision("lraspp_mobilenet_v3_large", weights_backbone=None),
}


def timm_network(model: str, options: dict[str, Any]) -> nn.Module:
    from timm import create_model

    network: nn.Module = create_model(model, **options)
    return network


def timm(model: str, size: int = 64, **options: Any) -> Family:
    return Family(model, partial(timm_network, model, options), partial(images, size))


def convmixer() -> nn.Module:
    from timm.models.convmixer import ConvMixer

    network: nn.Module = ConvMixer(dim=96, depth=4, kernel_size=7, patch_size=7)
    return network


SMALL_VIT = {"img_size": 64, "depth": 3, "embed_dim": 96}

TIMM = {
    "resnet": timm("resnet10t"),
    "resnest": timm("resnest14d"),
    "res2net": timm("res2net50_48w_2s"),
    "seresnet": timm("seresnet18"),
    "sknet": timm("skresnet18"),
    "densenet": timm("densenet121"),
    "dpn": timm("dpn48b"),
    "dla": timm("dla46x_c"),
    "hrnet": timm("hrnet_w18_small"),
    "vovnet": timm("ese_vovnet19b_slim_dw"),
    "cspnet": timm("cspresnet50"),
    "darknet": timm("darknet17"),
    "nfnet": timm("test_nfnet"),
    "regnet": timm("regnety_002"),
    "rexnet": timm("rexnet_100"),
    "efficientnet": timm("efficientnet_b0"),
    "mobilenetv3": timm("mobilenetv3_small_050"),
    "mobilenetv4": timm("mobilenetv4_conv_small_035"),
    "mnasnet": timm("mnasnet_small"),
    "ghostnet": timm("ghostnet_050"),
    "hgnet": timm("hgnetv2_b0"),
    "xception": timm("legacy_xception"),
    "repvgg": timm("repvgg_a0"),
    "mobileone": timm("mobileone_s0"),
    "repvit": timm("repvit_m0_9"),
    "starnet": timm("starnet_s050"),
    "convnext": timm("convnext_atto"),
    "convnextv2": timm("convnextv2_atto"),
    "convmixer": Family("ConvMixer, 4 blocks", convmixer, partial(images, 64)),
    "inception_next": timm("inception_next_atto"),
    "vit": timm("vit_tiny_patch16_224", num_heads=4, **SMALL_VIT),
    "deit": timm("deit_tiny_distilled_patch16_224", num_heads=4, **SMALL_VIT),
    "beit": timm("beit_base_patch16_224", num_heads=4, **SMALL_VIT),
    "cait": timm("cait_xxs24_224", num_heads=4, **SMALL_VIT),
    "pit": timm("pit_ti_224", 224),
    "pvt_v2": timm("pvt_v2_b0"),
    "swin": timm(
        "swin_tiny_patch4_window7_224",
        img_size=64,
        window_size=4,
        embed_dim=24,
        depths=(2, 2, 2),
        num_heads=(2, 4, 8),
    ),
    "mixer": timm("mixer_s32_224", 224),
    "resmlp": timm("resmlp_12_224", 224),
    "gmlp": timm("gmlp_ti16_224", 224),
    "poolformer": timm("poolformer_s12"),
    "efficientformer": timm("efficientformer_l1", 224),
    "levit": timm("levit_128s", 224),
    "efficientvit": timm("efficientvit_b0"),
    "edgenext": timm("edgenext_xx_small"),
    "fastvit": timm("fastvit_t8"),
    "mobilevit": timm("mobilevit_xxs"),
    "mobilevitv2": timm("mobilevitv2_050"),
    "coatnet": timm("coatnet_pico_rw_224", img_size=64),
}

SMALL_TRANSFORMER = {
    "vocab_size": N_TOKENS,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 144,
    "max_position_embeddings": 64,
}


def bert() -> nn.Module:
    from transformers import BertConfig, BertForSequenceClassification

    network: nn.Module = BertForSequenceClassification(
        BertConfig(num_labels=11, **SMALL_TRANSFORMER)
    )
    return network


def gpt2() -> nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel

    size = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 64, "use_cache": False}
    ends = {"bos_token_id": 0, "eos_token_id": 0}
    network: nn.Module = GPT2LMHeadModel(GPT2Config(vocab_size=N_TOKENS, **size, **ends))
    return network


def llama() -> nn.Module:
    from transformers import LlamaConfig, LlamaForCausalLM

    network: nn.Module = LlamaForCausalLM(LlamaConfig(use_cache=False, **SMALL_TRANSFORMER))
    return network


def qwen2() -> nn.Module:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    size = {**SMALL_TRANSFORMER, "num_key_value_heads": 2, "use_cache": False}
    network: nn.Module = Qwen2ForCausalLM(Qwen2Config(tie_word_embeddings=True, **size))
    return network


def vit() -> nn.Module:
    from transformers import ViTConfig, ViTForImageClassification

    size = {key: SMALL_TRANSFORMER[key] for key in SMALL_TRANSFORMER if key.endswith("_size")}
    layers = {"num_hidden_layers": 2, "num_attention_heads": 4, "num_labels": 11}
    network: nn.Module = ViTForImageClassification(
        ViTConfig(image_size=32, patch_size=8, **layers, **size)
    )
    return network


TRANSFORMERS = {
    "bert": Family("BertForSequenceClassification", bert, tokens),
    "gpt2": Family("GPT2LMHeadModel", gpt2, tokens),
    "llama": Family("LlamaForCausalLM", llama, tokens),
    "qwen2": Family("Qwen2ForCausalLM, 2 heads of keys, tied", qwen2, tokens),
    "vit": Family("ViTForImageClassification", vit, partial(pixels, 32)),
}

LIBRARIES: dict[str, dict[str, Family]] = {
    "torchvision": TORCHVISION,
    "timm": TIMM,
    "transformers": TRANSFORMERS,
}
