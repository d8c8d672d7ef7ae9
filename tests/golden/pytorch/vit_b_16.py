"""ViT-B/16 (torchvision): 86,567,656 parameters, 17,563,828,224 multiply-accumulates at 3×224×224."""

from collections import OrderedDict

import torch
from torch import nn


class Mlp(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Linear(768, 3072),
            nn.GELU(),
            nn.Dropout(0.0),
            nn.Linear(3072, 768),
            nn.Dropout(0.0),
        )


class EncoderLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1 = nn.LayerNorm(768, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(768, 12, batch_first=True)
        self.dropout = nn.Dropout(0.0)
        self.ln_2 = nn.LayerNorm(768, eps=1e-6)
        self.mlp = Mlp()

    def forward(self, x):
        y = self.ln_1(x)
        y = self.dropout(self.self_attention(y, y, y, need_weights=False)[0])
        x = x + y
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.zeros(197, 768))
        self.dropout = nn.Dropout(0.0)
        self.layers = nn.Sequential(OrderedDict((f"encoder_layer_{i}", EncoderLayer()) for i in range(12)))
        self.ln = nn.LayerNorm(768, eps=1e-6)

    def forward(self, x):
        x = self.dropout(x + self.pos_embedding)
        return self.ln(self.layers(x))


class ViTB16(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.conv_proj = nn.Conv2d(3, 768, 16, stride=16)
        self.class_token = nn.Parameter(torch.zeros(1, 768))
        self.encoder = Encoder()
        self.heads = nn.Sequential(OrderedDict(head=nn.Linear(768, classes)))

    def forward(self, x):
        x = self.conv_proj(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(x.shape[0], -1, -1), x], 1)
        x = self.encoder(x)[:, :1].flatten(1)
        return self.heads(x)
