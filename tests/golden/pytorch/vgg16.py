"""VGG-16 (torchvision): 138,357,544 parameters, 15,470,264,320 multiply-accumulates at 3×224×224."""

from torch import nn


def features(depths=(2, 2, 3, 3, 3), widths=(64, 128, 256, 512, 512)):
    layers, channels = [], 3
    for depth, width in zip(depths, widths):
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


class VGG16(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.features = features()
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, classes),
        )

    def forward(self, x):
        x = self.avgpool(self.features(x)).flatten(1)
        return self.classifier(x)
