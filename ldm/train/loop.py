"""The training loop that all stages share: data on the device, schedule, averaging, log, checkpoints, resuming."""
import copy
import csv
import math
import pathlib
import time

import torch

import conditions
import data
import model
import plot


class Run:
    """One stage of training, with the options a of train.py.

    The budget is a.minutes of wall clock over all sittings, or a.steps when it is given; the learning rate follows the
    spent share of it. With a.steps the weights are a function of the seed (on one machine and number of threads).
    """

    def __init__(self, a, stage):
        self.a, self.stage = a, stage
        self.dev = torch.device("cuda" if torch.cuda.is_available() and a.device != "cpu" else "cpu")
        torch.backends.cudnn.benchmark = True
        self.out = pathlib.Path(a.out)
        self.out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(a.seed)
        self.g = torch.Generator(self.dev).manual_seed(a.seed)
        self.train = data.load(a.data, "train")
        self.hu, self.px = self.train.hu.to(self.dev), self.train.pixel.to(self.dev)
        self.w = data.patient_weights(self.train.patient, a.patient_power).to(self.dev)
        self.how = data.Augmentation(a.augment, a.gain, a.offset, a.blur, a.noise, a.objects, a.phantoms)
        self.val, self.seen = data.load(a.data, "val").spread(a.val), self.train.spread(a.val)
        half = a.precision == "bf16" or (a.precision == "auto" and self.dev.type == "cuda")
        self.amp = dict(device_type=self.dev.type, dtype=torch.bfloat16, enabled=half)
        print(f"{stage}: {len(self.train)} train slices of {len(set(self.train.patient))} patients, "
              f"{len(self.val)} val slices, {self.dev}, {'bf16' if half else 'fp32'}", flush=True)

    def batch(self, n, crop=0):
        """n augmented slices drawn by patient weight: hu [n,H,W] and pixel [n]; crop: a random square of that size."""
        i = torch.multinomial(self.w, n, replacement=True, generator=self.g)
        with torch.autocast(self.dev.type, enabled=False):  # bf16 coordinates would tear the images
            hu, px = data.augment(self.hu[i].float(), self.px[i], self.g, self.how)
        if crop and crop < hu.shape[-1]:
            y, x = [int(torch.randint(0, n + 1 - crop, (1,), generator=self.g, device=self.dev)) for n in hu.shape[1:]]
            hu = hu[:, y:y + crop, x:x + crop]
        return hu, px

    def compiled(self, net):
        """net as the loop calls it: channels-last, compiled on a GPU (on a CPU that takes minutes and gains nothing)."""
        net.to(memory_format=torch.channels_last)
        return net if self.a.eager or self.dev.type != "cuda" else torch.compile(net)

    def share(self, step, spent):
        """The spent part of the budget, 0 to 1."""
        return min(1.0, step / self.a.steps if self.a.steps else spent / (60 * self.a.minutes))

    def rate(self, step, share):
        if self.a.constant_lr:
            return self.a.lr
        return self.a.lr * min(1, (step + 1) / self.a.warmup) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))

    def restore(self, net, ema, opt):
        """(step, seconds spent) after loading the last state, or the initial weights, or nothing."""
        state = self.out / f"{self.stage}.state"
        if self.a.resume and state.exists():
            s = torch.load(state, map_location=self.dev, weights_only=True)
            net.load_state_dict(s["net"]), ema.load_state_dict(s["ema"]), opt.load_state_dict(s["opt"])
            self.g.set_state(s["generator"].cpu())
            return s["step"], s["spent"]
        (self.out / f"{self.stage}.csv").unlink(missing_ok=True)
        if self.a.init:
            w = model.load_state(pathlib.Path(self.a.init) / f"{self.stage}.pt", self.dev)
            w = net.state_dict() | model.widen(w, net) if self.stage != "ae" else w  # blocks that only net has begin as nothing
            net.load_state_dict(w), ema.load_state_dict(w)
        return 0, 0.0

    def fit(self, net, loss_fn, val_fn):
        """Optimises net by loss_fn(share) until the budget is spent and returns the averaged network.

        val_fn(ema) gives a dictionary of figures for the log; its first entry is the one to watch.
        """
        a = self.a
        ema = copy.deepcopy(net).eval().requires_grad_(False)
        opt = torch.optim.AdamW(net.parameters(), lr=a.lr, betas=(0.9, 0.99), weight_decay=a.weight_decay)
        step, before = self.restore(net, ema, opt)
        start, last, run = time.time(), time.time(), []
        kept = int(self.share(step, before) * a.keep)
        while True:
            spent = before + time.time() - start
            share = self.share(step, spent)
            if share >= 1 or time.time() - last > a.every:
                run = self.note(step, spent, run, val_fn(ema))
                self.save(net, ema, opt, step, spent)
                last = time.time()
            if int(share * a.keep) > kept:
                kept = int(share * a.keep)
                model.save_state(ema, self.out / f"{self.stage}-{round(100 * kept / a.keep):03d}.pt")
            if share >= 1:
                return ema
            for group in opt.param_groups:
                group["lr"] = self.rate(step, share)
            run.append(self.step(net, ema, opt, loss_fn, share, step))
            step += 1

    def step(self, net, ema, opt, loss_fn, share, step):
        """One update; returns the loss, or None where reading it would stall the GPU."""
        with torch.autocast(**self.amp):
            loss = loss_fn(share)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        with torch.no_grad():
            torch._foreach_lerp_(list(ema.parameters()), list(net.parameters()), 1 - min(self.a.ema, (1 + step) / (10 + step)))
        return float(loss.detach()) if self.dev.type == "cpu" or step % 20 == 0 else None

    def note(self, step, spent, run, figures):
        """Adds a line to the log and redraws the plot; returns an empty list of losses."""
        run = [v for v in run if v is not None]
        row = dict(step=step, minutes=f"{spent / 60:.2f}", loss=f"{sum(run) / len(run):.5f}" if run else "")
        row.update({k: f"{v:.5f}" for k, v in figures.items()})
        path = self.out / f"{self.stage}.csv"
        fresh = not path.exists()
        with open(path, "a", newline="") as f:
            w = csv.DictWriter(f, row)
            if fresh:
                w.writeheader()
            w.writerow(row)
        plot.curves(path, path.with_suffix(".png"))
        print(f"{self.stage} step {step} {spent / 60:.1f} min " + " ".join(f"{k} {v}" for k, v in list(row.items())[2:]), flush=True)
        return []

    def save(self, net, ema, opt, step, spent):
        """<stage>.pt: averaged weights for use; <stage>.state: everything for going on."""
        model.save_state(ema, self.out / f"{self.stage}.pt")
        tmp = self.out / f"{self.stage}.part"
        torch.save(dict(net=net.state_dict(), ema=ema.state_dict(), opt=opt.state_dict(), generator=self.g.get_state(),
                        step=step, spent=spent), tmp)
        tmp.rename(self.out / f"{self.stage}.state")


def add_options(p):
    """Options of every stage and of finetune.py."""
    p.add_argument("--data", required=True), p.add_argument("--out", default="run")
    p.add_argument("--minutes", type=float, default=8, help="wall clock over all sittings")
    p.add_argument("--steps", type=int, default=0, help="budget in steps instead: repeatable to the bit")
    p.add_argument("--batch", type=int, default=32), p.add_argument("--crop", type=int, default=0, help="train ae on crops")
    p.add_argument("--lr", type=float, default=4e-4), p.add_argument("--warmup", type=int, default=200)
    p.add_argument("--constant-lr", action="store_true"), p.add_argument("--weight-decay", type=float, default=1e-2)
    p.add_argument("--ema", type=float, default=0.999), p.add_argument("--seed", type=int, default=0)
    p.add_argument("--val", type=int, default=24), p.add_argument("--every", type=float, default=60, help="seconds between log lines")
    p.add_argument("--keep", type=int, default=0, help="snapshots over the budget, for sample.py --choose")
    p.add_argument("--device", default="auto"), p.add_argument("--precision", choices=["auto", "fp32", "bf16"], default="auto")
    p.add_argument("--eager", action="store_true", help="no torch.compile"), p.add_argument("--resume", action="store_true")
    p.add_argument("--init", default="", help="folder with <stage>.pt to start from")
    p.add_argument("--pairs", default="", help="folder of conditions.py: the UNet is conditioned on their start too")
    p.add_argument("--method", default="pnp-unet", help="that made the start"), p.add_argument("--model", default="", help="bundle with its network")
    p.add_argument("--program", default=str(conditions.PROGRAM), help="that makes the conditions of the held-out slices")
    add_data_options(p)


def add_data_options(p):
    how = data.Augmentation()
    p.add_argument("--patient-power", type=float, default=0.5, help="a patient with n slices counts n**power")
    p.add_argument("--augment", type=float, default=how.strength), p.add_argument("--gain", type=float, default=how.gain)
    p.add_argument("--offset", type=float, default=how.offset), p.add_argument("--blur", type=float, default=how.blur)
    p.add_argument("--noise", type=float, default=how.noise)
    p.add_argument("--objects", type=float, default=how.objects, help="share of slices with ellipses drawn in")
    p.add_argument("--phantoms", type=float, default=how.phantoms, help="share of slices replaced by phantoms")
    p.add_argument("--sigma", type=float, default=0.01, help="noise of conditions, nepers"), p.add_argument("--dead", type=float, default=0.0)
    p.add_argument("--drop", type=float, default=0.2, help="share of batches without the condition")
    p.add_argument("--pool", type=int, default=16), p.add_argument("--reuse", type=float, default=3.0)
