"""
Trains models/face-delight.onnx: a small U-Net that takes a photo's own light off a face.

    python3 training/delight.py train FOLDER [STEPS]   FOLDER as training/portrait-atlases.ts writes it
    python3 training/delight.py export FOLDER OUT.onnx

It sees a face unwrapped to the canonical texture, 128x128, as natural log of RGB (0..1) plus 0.04, about the mean of the
skin, with the place and the normal of each texel on the canonical face; it returns what to add to that log. Pairs are
made while it trains: a portrait under one to three lamps of any direction and colour, with shadows that the canonical
face casts on itself, shadows of things outside the picture (hat, blind, strand), glints, another exposure, blur, noise.
The target is the portrait without them, its own soft difference between the halves taken off too.

The file in the repository: about 12,070 steps of 16 faces, 34 minutes on two cores (the rate fell by a cosine over
time), 494 public-domain portraits, and 40 held out: on those mean absolute error 0.060 of natural log where doing nothing has 0.193.
Needs numpy, torch and onnx. Seeds are fixed; sums in another order give other bytes.
"""

import hashlib
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
N = 128
A = np.fromfile(FOLDER + "/atlases.f32", np.float32).reshape(-1, N, N, 3)
pos = np.fromfile(FOLDER + "/position.f32", np.float32).reshape(N, N, 3)
cov, holes, feat, brow, core, outs = [
    m.astype(np.float32) for m in np.fromfile(FOLDER + "/areas.u8", np.uint8).reshape(6, N, N)
]
face = np.maximum(cov, holes)
# normals
px = np.gradient(pos, axis=1)
py = np.gradient(pos, axis=0)
nrm = np.cross(py, px)
nrm /= np.linalg.norm(nrm, axis=2, keepdims=True) + 1e-6
if (nrm[..., 2] * face).sum() < 0:
    nrm = -nrm


# fill outside the face
def blur(x, s):
    t = torch.from_numpy(np.ascontiguousarray(x)).float()
    if t.dim() == 2:
        t = t[..., None]
    t = t.permute(2, 0, 1)[None]
    return gblur(t, s)[0].permute(1, 2, 0).numpy().squeeze()


def gblur(t, s):
    if s <= 0.05:
        return t
    r = max(1, int(3 * s))
    k = torch.exp(-(torch.arange(-r, r + 1).float() ** 2) / (2 * s * s))
    k /= k.sum()
    c = t.shape[1]
    t = F.conv2d(F.pad(t, (r, r, 0, 0), mode="replicate"), k.view(1, 1, 1, -1).repeat(c, 1, 1, 1), groups=c)
    return F.conv2d(F.pad(t, (0, 0, r, r), mode="replicate"), k.view(1, 1, -1, 1).repeat(c, 1, 1, 1), groups=c)


# erode the face by one for normals at the rim
inner = (blur(face, 1.0) > 0.98).astype(np.float32)
w = blur(inner, 2.0) + 1e-4
nb = blur(nrm * inner[..., None], 2.0) / w[..., None]
nrm = np.where(inner[..., None] > 0, nrm, nb)
nrm = blur(nrm, 1.0)
nrm /= np.linalg.norm(nrm, axis=2, keepdims=True) + 1e-6
# shadow maps
G = 96
ext = 9.0
zmap = np.full((G, G), -20, np.float32)
ys, xs = np.where(face > 0)
for y, x in zip(ys, xs):
    X, Y, Z = pos[y, x]
    u = int((X / ext * 0.5 + 0.5) * G)
    v = int((-(Y) / 11 * 0.5 + 0.5) * G)
    for du in (-1, 0, 1):
        for dv in (-1, 0, 1):
            if 0 <= u + du < G and 0 <= v + dv < G:
                zmap[v + dv, u + du] = max(zmap[v + dv, u + du], Z)


def shadow(lamp):
    s = np.zeros((N, N), np.float32)
    for t in np.linspace(0.35, 7, 30):
        q = pos + t * lamp
        u = np.clip(((q[..., 0] / ext * 0.5 + 0.5) * G).astype(int), 0, G - 1)
        v = np.clip(((-q[..., 1] / 11 * 0.5 + 0.5) * G).astype(int), 0, G - 1)
        s = np.maximum(s, (zmap[v, u] > q[..., 2] + 0.25).astype(np.float32))
    return 1 - s


dirs = []
vis = []
while len(dirs) < 400:
    lamp = rng.normal(size=3)
    lamp[2] = abs(lamp[2]) * 0.9 - 0.15
    lamp[1] = lamp[1] * 0.8 + 0.25
    lamp /= np.linalg.norm(lamp)
    if lamp[2] < -0.2:
        continue
    dirs.append(lamp)
    vis.append(shadow(lamp.astype(np.float32)))
dirs = torch.tensor(np.array(dirs), dtype=torch.float32)
vis = torch.tensor(np.array(vis))[:, None]
nT = torch.tensor(nrm, dtype=torch.float32).permute(2, 0, 1)[None]
posT = torch.tensor(pos, dtype=torch.float32).permute(2, 0, 1)[None] / 8
faceT = torch.tensor(face)[None, None]
coreT = torch.tensor(np.maximum(core, 0))[None, None]
covT = torch.tensor(cov)[None, None]
holesT = torch.tensor(holes)[None, None]
skinT = torch.tensor(((cov > 0) & (feat == 0) & (brow == 0)).astype(np.float32))[None, None]
E = 0.04
AT = torch.tensor(A).permute(0, 3, 1, 2)
# own asymmetry, soft only: half of it on either side is light
with torch.no_grad():
    lg = torch.log(AT + E)
    ws = gblur(skinT, 9) + 1e-3
    lp = gblur(lg * skinT, 9) / ws
    asym = 0.4 * (lp - lp.flip(3))
    OWN = asym.clamp(-0.6, 0.6)


def rnd(b, lo, hi, *s):
    return torch.rand(b, *(s or (1, 1, 1))) * (hi - lo) + lo


def noisefield(b, c, cells):
    return F.interpolate(torch.randn(b, c, cells, cells), size=(N, N), mode="bicubic", align_corners=False)


def tint(b, amount):
    t = torch.randn(b, 1, 1, 1) * amount
    g = torch.randn(b, 1, 1, 1) * amount * 0.35
    return torch.cat([torch.exp(t), torch.exp(g), torch.exp(-t)], 1)


def batch(b, idx_pool):
    idx = torch.from_numpy(rng.choice(idx_pool, b))
    a = AT[idx]
    own = OWN[idx]
    f = torch.rand(b) < 0.5
    a = torch.where(f[:, None, None, None], a.flip(3), a)
    own = torch.where(f[:, None, None, None], own.flip(3), own)
    # another exposure and tone of the portrait itself
    a = a.clamp(0, 1) ** rnd(b, 0.8, 1.35)
    n = F.normalize(nT + 0.12 * noisefield(b, 3, 12), dim=1)
    L = rnd(b, 0.08, 0.7) * tint(b, 0.12) * (1 + 0.35 * noisefield(b, 1, 2).tanh())
    spec = torch.zeros(b, 1, N, N)
    for k in range(3):
        on = (torch.rand(b, 1, 1, 1) < (1.0 if k == 0 else 0.4)).float()
        j = torch.randint(len(dirs), (b,))
        lamp = dirs[j].view(b, 3, 1, 1)
        wrap = rnd(b, 0, 0.35)
        sh = ((n * lamp).sum(1, keepdim=True) + wrap) / (1 + wrap)
        v = vis[j]
        s = [0.9, 1.5, 3.0][np.random.randint(3)]
        v = gblur(v, s)
        v = 1 - (1 - v) * rnd(b, 0.3, 1)
        col = tint(b, 0.18) * rnd(b, 0.4, 1.6)
        L = L + on * col * sh.clamp(min=0) * v
        h = F.normalize(lamp + torch.tensor([0, 0, 1.0]).view(1, 3, 1, 1), dim=1)
        spec = spec + on * (torch.rand(b, 1, 1, 1) < 0.4).float() * v * (
            (n * h).sum(1, keepdim=True).clamp(min=0) ** rnd(b, 8, 60)
        ) * rnd(b, 0.05, 0.5)
    # shadows of what is not in the picture: hats, blinds, strands, half-planes
    m = torch.ones(b, 1, N, N)
    for k in range(2):
        on = (torch.rand(b, 1, 1, 1) < 0.35).float()
        ang = rnd(b, 0, 6.283)
        c = posT[:, 0:1] * torch.cos(ang) + posT[:, 1:2] * torch.sin(ang)
        edge = (c - rnd(b, -0.7, 0.7) + 0.12 * noisefield(b, 1, [2, 4, 8][np.random.randint(3)])) / torch.exp(
            rnd(b, np.log(0.015), np.log(0.3))
        )
        band = torch.where(
            torch.rand(b, 1, 1, 1) < 0.3,
            torch.sigmoid(edge) * torch.sigmoid(-(edge - rnd(b, 3, 20))),
            torch.sigmoid(edge),
        )
        m = m * (1 - on * rnd(b, 0.2, 0.9) * band)
    weak = (torch.rand(b, 1, 1, 1) < 0.15).float()
    L = L * m
    mean = lambda x: (x * skinT).sum((2, 3), keepdim=True) / skinT.sum()
    gain = (L + 1e-3) ** (1 / 2.2)
    gain = gain / torch.exp(mean(torch.log(gain)))
    gain = weak * gain**0.1 + (1 - weak) * gain
    # exposure: mean brightness of the skin
    want = rnd(b, 0.2, 0.75)
    lum = mean(a.mean(1, keepdim=True))
    a = a * (want / lum.clamp(min=0.05)) * tint(b, 0.08)
    img = (a * gain + (1 - weak) * spec * m * rnd(b, 0.4, 1)).clamp(0, 1)
    target = torch.log((a * torch.exp(-own)) + E) - torch.log(img + E)
    img = gblur(img, float(rng.choice([0, 0.5, 1.0]))) + torch.randn(b, 3, N, N) * rnd(b, 0, 0.015)
    x = torch.log(img.clamp(0, 1) + E)
    mu = mean(x)
    t = target
    t = t - mean(t)
    return x - mu, t, img, a * torch.exp(-own)


class Block(nn.Module):
    def __init__(s, i, o, stride=1):
        super().__init__()
        s.a = nn.Conv2d(i, o, 3, stride, 1)
        s.b = nn.Conv2d(o, o, 3, 1, 1)
        s.s = nn.Conv2d(i, o, 1, stride)

    def forward(s, x):
        y = s.b(F.leaky_relu(s.a(x), 0.1))
        return F.leaky_relu(y + s.s(x), 0.1)


class Net(nn.Module):
    def __init__(s, w=(28, 44, 64, 96)):
        super().__init__()
        s.register_buffer("geo", torch.cat([posT, nT, faceT], 1) * faceT)
        s.inn = Block(4 * 3 + 4 * 7, w[0])
        s.d1 = Block(w[0], w[1], 2)
        s.d2 = Block(w[1], w[2], 2)
        s.d3 = Block(w[2], w[3], 2)
        s.mid = Block(w[3], w[3])
        s.g = nn.Linear(w[3], w[3])
        s.u3 = Block(w[3] + w[2], w[2])
        s.u2 = Block(w[2] + w[1], w[1])
        s.u1 = Block(w[1] + w[0], w[0])
        s.out = nn.Conv2d(w[0], 12, 3, 1, 1)
        nn.init.zeros_(s.out.weight)
        nn.init.zeros_(s.out.bias)

    def forward(s, x):
        b = x.shape[0]
        x = torch.cat([x * s.geo[:, 6:7], s.geo.expand(b, -1, -1, -1)], 1)
        e0 = s.inn(F.pixel_unshuffle(x, 2))
        e1 = s.d1(e0)
        e2 = s.d2(e1)
        e3 = s.d3(e2)
        m = s.mid(e3)
        m = m + s.g(m.mean((2, 3)))[:, :, None, None]
        up = lambda t: F.interpolate(t, scale_factor=2, mode="nearest")
        y = s.u3(torch.cat([up(m), e2], 1))
        y = s.u2(torch.cat([up(y), e1], 1))
        y = s.u1(torch.cat([up(y), e0], 1))
        return F.pixel_shuffle(s.out(y), 2)


def loss_of(p, t):
    p = p - (p * skinT).sum((2, 3), keepdim=True) / skinT.sum()
    W = covT * (0.5 + 0.5 * skinT)
    e = p - t
    loss = (e.abs() * W).sum() / (W.sum() * 3 * len(p))
    el = e.mean(1, keepdim=True)
    ec = e - el
    loss = loss + 0.5 * (ec.abs() * W).sum() / (W.sum() * 3 * len(p))
    gx = (e[..., 1:] - e[..., :-1]).abs() * W[..., 1:]
    gy = (e[..., 1:, :] - e[..., :-1, :]).abs() * W[..., 1:, :]
    return loss + 1.0 * (gx.sum() + gy.sum()) / (W.sum() * 3 * len(p)), (e.abs() * W).sum() / (W.sum() * 3 * len(p))


class WithColours(nn.Module):
    """The network as the product runs it: RGB 0..1 in, [1,128,128,3]; the correction out."""

    def __init__(s, net):
        super().__init__()
        s.net = net
        s.register_buffer("skin", skinT / skinT.sum())

    def forward(s, image):
        x = torch.log(image.permute(0, 3, 1, 2) + E)
        x = x - (x * s.skin).sum((2, 3), keepdim=True)
        p = s.net(x)
        p = p - (p * s.skin).sum((2, 3), keepdim=True)
        return p.permute(0, 2, 3, 1)


def train(steps):
    perm = np.random.default_rng(1).permutation(len(A))
    held, pool = perm[:40], perm[40:]
    net = Net().to(memory_format=torch.channels_last)
    opt = torch.optim.AdamW(net.parameters(), lr=1.5e-3, weight_decay=1e-4)
    torch.manual_seed(3)
    val = [batch(16, held) for _ in range(4)]
    torch.manual_seed(9)
    began = time.time()
    for step in range(steps):
        rate = 1.5e-3 * min(1, step / 200) * (0.5 * (1 + np.cos(np.pi * step / steps)) * 0.98 + 0.02)
        for g in opt.param_groups:
            g["lr"] = rate
        with torch.no_grad():
            x, t, _, _ = batch(16, pool)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            p = net(x.to(memory_format=torch.channels_last))
        loss, _ = loss_of(p.float(), t)
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        if step % 200 == 199:
            with torch.no_grad():
                error = np.mean([loss_of(net(x), t)[1].item() for x, t, _, _ in val])
            print(f"{step + 1} steps, {time.time() - began:.0f} s, held-out error {error:.4f}", flush=True)
    torch.save(net.state_dict(), os.path.join(FOLDER, "delight.pt"))


def export(out):
    net = Net()
    net.load_state_dict(torch.load(os.path.join(FOLDER, "delight.pt")))
    model = WithColours(net).eval()
    torch.onnx.export(
        model,
        torch.rand(1, N, N, 3),
        out,
        input_names=["image"],
        output_names=["correction"],
        opset_version=17,
        dynamo=False,
    )
    data = open(out, "rb").read()
    print(hashlib.sha256(data).hexdigest(), len(data))


if __name__ == "__main__":
    if COMMAND == "train":
        train(int(sys.argv[3]) if len(sys.argv) > 3 else 12070)
    else:
        export(sys.argv[3])
