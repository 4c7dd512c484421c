"""
Trains models/face-occluder.onnx: a small U-Net that tells what in front of a face is no face: glasses, strands of hair, a
fringe, a headset, a microphone.

    python3 training/occluder.py train FOLDER [STEPS]   FOLDER as training/portrait-atlases.ts writes it; goes on from
                                                        FOLDER/occluder.pt where that is there
    python3 training/occluder.py export FOLDER OUT.onnx

It sees a live face unwrapped to the canonical texture, 64x64, eyes and mouth left out, as natural log of RGB (0..1) plus
0.04 about the mean of the face, with the place of each texel on the canonical face; it returns a logit a texel. Pairs are
made while it trains: a portrait without glasses, with things drawn over it in the frontal plane of the canonical face, in
another light, through another camera; shadows, glints and make-up are drawn too, and are not to be found.

FOLDER/excluded.txt names the portraits with glasses or hair over the face, one a line: they teach nothing
(training/occluder-excluded.txt).

The file in the repository: 8,000 steps of 24 faces in which the far side of turned heads had no labels, 17 minutes on two
cores beside other work, then 2,500 with them, as the script now is. 377 public-domain portraits, 40 of them held out. Never
shown in training: glasses of real people; of 47 portraits with them it marks 40 texels or more in 46. Needs numpy, torch and onnx; seeds are fixed, sums
in another order give other bytes.
"""

import hashlib
import json
import os
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

COMMAND, FOLDER = sys.argv[1], sys.argv[2]
torch.set_num_threads(2)
torch.manual_seed(7)
rng = np.random.default_rng(7)
N, M = 128, 64
FLOOR = 0.04
names = json.load(open(FOLDER + "/names.json"))
excluded = set(open(FOLDER + "/excluded.txt").read().split())
A = np.fromfile(FOLDER + "/atlases.f32", np.float32).reshape(-1, N, N, 3)
A = A[[n not in excluded for n in names]]
pos = np.fromfile(FOLDER + "/position.f32", np.float32).reshape(N, N, 3)
covered, holes, _, brows = [m.astype(np.float32) for m in np.fromfile(FOLDER + "/areas.u8", np.uint8).reshape(6, N, N)[:4]]
AT = torch.tensor(A).permute(0, 3, 1, 2)
X, Y = (torch.tensor(pos[..., k])[None] for k in (0, 1))
faceT = torch.tensor(np.maximum(covered, holes))[None, None]
skinT = torch.tensor(covered)[None, None]
browT = torch.tensor(brows)[None, None]
SKIN64 = (F.avg_pool2d(skinT, 2) > 0.5).float()
GEO64 = torch.cat([F.avg_pool2d(X[None] / 8, 2), F.avg_pool2d(Y[None] / 8, 2), SKIN64], 1) * SKIN64


def rnd(b, lo, hi):
    return torch.rand(b, 1, 1) * (hi - lo) + lo


def chance(b, p):
    return (torch.rand(b, 1, 1) < p).float()


def gblur(t, s):
    if s <= 0.05:
        return t
    r = max(1, int(3 * s))
    k = torch.exp(-(torch.arange(-r, r + 1).float() ** 2) / (2 * s * s))
    k /= k.sum()
    c = t.shape[1]
    t = F.conv2d(F.pad(t, (r, r, 0, 0), mode="replicate"), k.view(1, 1, 1, -1).repeat(c, 1, 1, 1), groups=c)
    return F.conv2d(F.pad(t, (0, 0, r, r), mode="replicate"), k.view(1, 1, -1, 1).repeat(c, 1, 1, 1), groups=c)


def field(b, c, cells):
    return F.interpolate(torch.randn(b, c, cells, cells), size=(N, N), mode="bicubic", align_corners=False)


def soft(distance, half):
    """Coverage of a line of half width `half`, in centimetres; a texel is about 0.15."""
    return ((half - distance) / 0.15 + 0.5).clamp(0, 1)


def colour(b):
    """Colours of frames, hair and plastics: [b, 3, 1, 1]."""
    dark = torch.rand(b, 1, 1, 1) ** 2 * 0.35 + 0.01
    hue = torch.tensor([1.0, 0.72, 0.5]).view(1, 3, 1, 1) ** (torch.rand(b, 1, 1, 1) * 1.3)
    any_hue = torch.rand(b, 3, 1, 1) * 0.8
    metal = (torch.rand(b, 1, 1, 1) * 0.6 + 0.25) * torch.tensor([1.0, 0.93, 0.82]).view(1, 3, 1, 1)
    pick = torch.rand(b, 1, 1, 1)
    return torch.where(pick < 0.65, dark * hue, torch.where(pick < 0.83, metal.expand(b, 3, 1, 1), any_hue))


def glasses(b):
    """Coverage of frames, [b, N, N], and of their lenses."""
    shift = rnd(b, -0.3, 0.3)
    cx, cy = rnd(b, 2.9, 3.6), rnd(b, 1.4, 2.7)
    w, h = rnd(b, 2.1, 3.1), rnd(b, 1.3, 2.5)
    p = torch.exp(rnd(b, np.log(1.8), np.log(6)))
    tilt = rnd(b, -0.06, 0.06)
    x, y = X + tilt * Y - shift, Y - tilt * X
    u, v = (x.abs() - cx) / w, (y - cy) / h
    # A lens widens towards the top, or not.
    u = u / (1 + rnd(b, -0.05, 0.2) * v)
    r = (u.abs() ** p + v.abs() ** p + 1e-6) ** (1 / p)
    off = (r - 1).abs() * torch.minimum(w, h)
    half = torch.exp(rnd(b, np.log(0.06), np.log(0.3)))
    # Thicker above; sometimes nothing below.
    rim = half * (1 + rnd(b, 0, 0.8) * (v > 0).float()) * (1 - chance(b, 0.15) * (v < 0.2).float())
    frame = soft(off, rim) * (rim > 0.02).float()
    by = cy + h * rnd(b, 0.1, 0.7) + 0.25 * (1 - (x / 1.2) ** 2) * rnd(b, -0.5, 1)
    inner = (x.abs() < cx - w + 0.15).float()
    frame = torch.maximum(frame, inner * soft((y - by).abs(), half * rnd(b, 0.7, 1.4)))
    ty = cy + h * rnd(b, 0.2, 0.8)
    outer = (x.abs() > cx + w - 0.1).float()
    frame = torch.maximum(frame, outer * soft((y - ty).abs(), half * rnd(b, 0.8, 2)))
    return frame, (r < 1).float()


def strands(b):
    """Coverage of strands of hair that hang from above or from a side."""
    out = torch.zeros(b, N, N)
    for _ in range(4):
        on = chance(b, 0.6)
        x0, slope, bend = rnd(b, -7, 7), rnd(b, -0.5, 0.5), rnd(b, -0.05, 0.05)
        wave = rnd(b, 0, 0.25) * torch.sin(Y * rnd(b, 0.5, 2) + rnd(b, 0, 6))
        t = 9 - Y
        x = x0 + slope * t + bend * t * t + wave
        half = torch.exp(rnd(b, np.log(0.04), np.log(0.5))) * (1 - 0.5 * (t / 16).clamp(0, 1))
        end = rnd(b, -8, 7)
        out = torch.maximum(out, on * soft((X - x).abs(), half) * (Y > end).float())
    return out


def fringe(b):
    """Coverage of hair, a band or a cap over the forehead or a side, with a ragged edge."""
    ang = rnd(b, -2.2, 2.2)
    c = X * torch.sin(ang) + Y * torch.cos(ang)
    rough = field(b, 1, 24)[:, 0] * rnd(b, 0.05, 0.7) + field(b, 1, 6)[:, 0] * rnd(b, 0, 0.6)
    edge = torch.where(torch.rand(b, 1, 1) < 0.5, rnd(b, 5.0, 8.5), rnd(b, 4.5, 7.5))
    return ((c - edge + rough) / 0.25).sigmoid()


def boom(b):
    """Coverage of a microphone's arm and head."""
    side = torch.sign(torch.rand(b, 1, 1) - 0.5)
    x0, y0 = side * 7.5, rnd(b, -4, 3)
    x1, y1 = side * rnd(b, 0.5, 5), rnd(b, -7, -2.5)
    dx, dy = x1 - x0, y1 - y0
    t = (((X - x0) * dx + (Y - y0) * dy) / (dx * dx + dy * dy + 1e-3)).clamp(0, 1)
    sag = rnd(b, -1, 1) * t * (1 - t)
    d = torch.hypot(X - x0 - t * dx, Y - y0 - t * dy - sag)
    arm = soft(d, rnd(b, 0.1, 0.4))
    return torch.maximum(arm, soft(torch.hypot((X - x1), (Y - y1)), rnd(b, 0.3, 1.3)))


def light(b):
    """Gains of R, G and B: lamps, shadows with edges of any softness."""
    ang = rnd(b, 0, 6.283)
    across = X * torch.cos(ang) + Y * torch.sin(ang)
    tone = lambda a: torch.cat([torch.exp(torch.randn(b, 1, 1, 1) * a * k) for k in (1, 0.35, 1)], 1)
    log = rnd(b, -0.1, 0.1) * across + 0.25 * field(b, 1, 3)[:, 0] * rnd(b, 0, 1)
    for _ in range(2):
        ang = rnd(b, 0, 6.283)
        c = X * torch.cos(ang) + Y * torch.sin(ang) + 0.8 * field(b, 1, 5)[:, 0] * rnd(b, 0, 1)
        edge = (c - rnd(b, -6, 6)) / torch.exp(rnd(b, np.log(0.2), np.log(3)))
        log = log - chance(b, 0.35) * rnd(b, 0.1, 1.3) * edge.sigmoid()
    return torch.exp(log)[:, None] * tone(0.12)


def batch(b, pool):
    a = AT[torch.from_numpy(rng.choice(pool, b))]
    a = torch.where(torch.rand(b, 1, 1, 1) < 0.5, a.flip(3), a)
    a = a.clamp(0, 1) ** (torch.rand(b, 1, 1, 1) * 0.8 + 0.7)
    a = a * (torch.rand(b, 1, 1, 1) * 0.9 + 0.35)
    # Brows of any darkness and thickness are the face's own.
    thick = gblur(torch.roll(browT, (int(rng.integers(-3, 4)),), (2,)), float(rng.choice([0.5, 1, 2])))
    a = a * (1 - thick * (torch.rand(b, 1, 1, 1) < 0.5).float() * torch.rand(b, 1, 1, 1) * 0.8)
    cover = torch.zeros(b, N, N)

    def lay(a, cover, alpha, opacity, tint, grain):
        alpha = (alpha * opacity)[:, None]
        paint = (tint * (1 + grain * field(b, 1, 48)) * torch.exp(0.3 * field(b, 1, 4))).clamp(0, 1)
        shadow = 1 - torch.rand(b, 1, 1, 1) * 0.4 * gblur(torch.roll(alpha, (2, 0), (2, 3)), 1.5)
        a = a * shadow * (1 - alpha) + paint * alpha
        return a, torch.maximum(cover, alpha[:, 0])

    g, lens = glasses(b)
    on = chance(b, 0.45)
    glare = (on * lens)[:, None] * (torch.rand(b, 1, 1, 1) < 0.3).float() * field(b, 1, 4).clamp(min=0) * 0.15
    a = a * (1 - (on * lens)[:, None] * torch.rand(b, 1, 1, 1) * 0.12) + glare
    a, cover = lay(a, cover, g, on, colour(b), 0.1)
    hair = colour(b)
    a, cover = lay(a, cover, strands(b), chance(b, 0.3) * rnd(b, 0.6, 1), hair, 0.35)
    a, cover = lay(a, cover, fringe(b), chance(b, 0.35), hair, 0.4)
    a, cover = lay(a, cover, boom(b), chance(b, 0.12), colour(b), 0.05)
    image = a * light(b)
    # Exposure, and what shines.
    level = (image.mean(1, keepdim=True) * skinT).sum((2, 3), keepdim=True) / skinT.sum()
    image = image * ((torch.rand(b, 1, 1, 1) * 0.65 + 0.12) / level.clamp(min=0.03))
    image = image + (torch.rand(b, 1, 1, 1) < 0.3).float() * field(b, 1, 6).clamp(min=1) * 0.04 - 0.04
    # The far side of a turned head is stretched from a few pixels.
    side = torch.sign(torch.rand(b, 1, 1) - 0.5)
    far = (((X * side - rnd(b, 0, 5)) * 1.5).sigmoid() * chance(b, 0.4))[:, None]
    cells = int(rng.integers(4, 14))
    few = F.interpolate(F.interpolate(image, size=(N, 128 // cells), mode="area"), size=(N, N), mode="bilinear")
    image = image + far * (few - image)
    image = gblur(image.clamp(0, 1), float(rng.choice([0, 0.6, 1.0, 1.6, 2.2])))
    image = F.avg_pool2d(image, 2)
    image = image + torch.randn(b, 3, M, M) * torch.rand(b, 1, 1, 1) * 0.02
    target = F.avg_pool2d(cover[:, None], 2)
    return image.clamp(0, 1), (target > 0.35).float()


class Block(nn.Module):
    def __init__(s, i, o, stride=1):
        super().__init__()
        s.a = nn.Conv2d(i, o, 3, stride, 1)
        s.b = nn.Conv2d(o, o, 3, 1, 1)
        s.s = nn.Conv2d(i, o, 1, stride)

    def forward(s, x):
        return F.relu(s.b(F.relu(s.a(x))) + s.s(x))


class Net(nn.Module):
    def __init__(s, w=(16, 24, 32)):
        super().__init__()
        s.register_buffer("geo", GEO64.clone())
        s.inn = Block(4 * 6, w[0])
        s.d1 = Block(w[0], w[1], 2)
        s.d2 = Block(w[1], w[2], 2)
        s.mid = Block(w[2], w[2])
        s.g = nn.Linear(w[2], w[2])
        s.u1 = Block(w[2] + w[1], w[1])
        s.u0 = Block(w[1] + w[0], w[0])
        s.out = nn.Conv2d(w[0], 4, 3, 1, 1)

    def forward(s, image):
        skin = s.geo[:, 2:]
        x = torch.log(image + FLOOR)
        x = (x - (x * skin).sum((2, 3), keepdim=True) / skin.sum()) * skin
        x = torch.cat([x, s.geo.expand(x.shape[0], -1, -1, -1)], 1)
        e0 = s.inn(F.pixel_unshuffle(x, 2))
        e1 = s.d1(e0)
        m = s.mid(s.d2(e1))
        m = m + s.g(m.mean((2, 3)))[:, :, None, None]
        up = lambda t: F.interpolate(t, scale_factor=2, mode="nearest")
        y = s.u1(torch.cat([up(m), e1], 1))
        y = s.u0(torch.cat([up(y), e0], 1))
        return F.pixel_shuffle(s.out(y), 2)


def loss_of(logit, t):
    w = SKIN64 * (1 + 2 * t)
    bce = F.binary_cross_entropy_with_logits(logit, t, reduction="none")
    p = logit.sigmoid() * SKIN64
    dice = 1 - (2 * (p * t).sum() + 1) / ((p + t * SKIN64).sum() + 1)
    return (bce * w).sum() / w.sum() + 0.5 * dice


class Product(nn.Module):
    """The network as the product runs it: RGB 0..1 in, [1,64,64,3]; probability out, [1,64,64]."""

    def __init__(s, net):
        super().__init__()
        s.net = net

    def forward(s, image):
        return s.net(image.permute(0, 3, 1, 2)).sigmoid()[:, 0]


def train(steps):
    perm = np.random.default_rng(1).permutation(len(A))
    held, pool = perm[:40], perm[40:]
    net = Net()
    earlier = os.path.join(FOLDER, "occluder.pt")
    if os.path.exists(earlier):
        net.load_state_dict(torch.load(earlier))
    opt = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-4)
    torch.manual_seed(3)
    val = [batch(32, held) for _ in range(4)]
    torch.manual_seed(9)
    began = time.time()
    for step in range(steps):
        for g in opt.param_groups:
            g["lr"] = 2e-3 * min(1, step / 200) * (0.49 * (1 + np.cos(np.pi * step / steps)) + 0.02)
        with torch.no_grad():
            x, t = batch(24, pool)
        loss = loss_of(net(x), t)
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        if step % 200 == 199:
            with torch.no_grad():
                hit = found = there = 0
                for x, t in val:
                    p = (net(x) > 0).float() * SKIN64
                    hit += (p * t).sum().item()
                    found += p.sum().item()
                    there += (t * SKIN64).sum().item()
            print(f"{step + 1} steps, {time.time() - began:.0f} s, held out: precision {hit / max(1, found):.3f}, recall {hit / max(1, there):.3f}", flush=True)
            torch.save(net.state_dict(), os.path.join(FOLDER, "occluder.pt"))


def export(out):
    net = Net()
    net.load_state_dict(torch.load(os.path.join(FOLDER, "occluder.pt")))
    torch.onnx.export(
        Product(net).eval(),
        torch.rand(1, M, M, 3),
        out,
        input_names=["image"],
        output_names=["occluded"],
        opset_version=17,
        dynamo=False,
    )
    data = open(out, "rb").read()
    print(hashlib.sha256(data).hexdigest(), len(data))


if __name__ == "__main__":
    if COMMAND == "train":
        train(int(sys.argv[3]) if len(sys.argv) > 3 else 6000)
    else:
        export(sys.argv[3])
