"""U-Net: 31,030,658 parameters, 150,428,424,448 multiply-accumulates at 1×572×572."""

import torch
from torch import nn


def crop_like(x, other):
    """The centre of x, with the spatial size of the other tensor."""
    for dim in range(2, x.dim()):
        x = x.narrow(dim, (x.shape[dim] - other.shape[dim]) // 2, other.shape[dim])
    return x


class DoubleConv(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3)

    def forward(self, x):
        x = self.relu(self.conv1(x))
        return self.relu(self.conv2(x))


class Level(nn.Module):
    def __init__(self, channels, skip_channels):
        super().__init__()
        self.up = nn.ConvTranspose2d(channels, channels // 2, 2, stride=2)
        self.merge = DoubleConv(skip_channels + channels // 2, (skip_channels + channels // 2) // 2)

    def forward(self, x, skip):
        x = self.up(x)
        x = torch.cat([crop_like(skip, x), x], 1)
        return self.merge(x)


class UNet(nn.Module):
    def __init__(self, classes=2):
        super().__init__()
        self.down0 = DoubleConv(1, 64)
        self.maxpool = nn.MaxPool2d(2)
        self.down1 = DoubleConv(64, 128)
        self.down2 = DoubleConv(128, 256)
        self.down3 = DoubleConv(256, 512)
        self.bottom = DoubleConv(512, 1024)
        self.dropout = nn.Dropout(0.5)
        self.level3 = Level(1024, 512)
        self.level2 = Level(512, 256)
        self.level1 = Level(256, 128)
        self.level0 = Level(128, 64)
        self.head = nn.Conv2d(64, classes, 1)

    def forward(self, x):
        down0 = self.down0(x)
        down1 = self.down1(self.maxpool(down0))
        down2 = self.down2(self.maxpool(down1))
        down3 = self.down3(self.maxpool(down2))
        y = self.dropout(self.bottom(self.maxpool(down3)))
        y = self.level1(self.level2(self.level3(y, down3), down2), down1)
        return self.head(self.level0(y, down0))
