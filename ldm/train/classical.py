"""One slice as a least-squares problem: regularised CG for the data step, TV for the warm start and the comparison."""
import numpy as np

import data
import projector as pr

GAIN = data.HU_HALF / 1000 * pr.MU_WATER  # mu = GAIN * (u + 1), since HU = 1500 u + 500


class Problem:
    """y = GAIN * pixel * A (u + 1) + noise of standard deviation sigma, for u in [-1, 1] (u = -1 is air).

    a: sparse matrix of strip_matrix; y: nepers [views,bins]; pixel in mm; sigma in nepers.
    """

    def __init__(self, a, y, pixel, sigma):
        self.a, self.at, self.n = a, a.T.tocsr(), int(round(a.shape[1] ** 0.5))
        self.k = np.float32(GAIN * pixel / sigma)
        self.y = y.ravel() / np.float32(sigma)

    def residual(self, u):
        return self.k * (self.a @ (u.ravel().astype(np.float32) + 1)) - self.y

    def chi2(self, u):
        return float(np.mean(self.residual(u) ** 2))

    def solve(self, u0, r2, iters=30, tol=1e-2, dy=0):
        """argmin |k A(u+1) - y - dy|^2 + |u - u0|^2 / r2 by conjugate gradients from u0."""
        b = self.k * (self.at @ (dy - self.residual(u0)))
        x, r = np.zeros_like(b), b.copy()
        p, rs = r.copy(), float(r @ r)
        stop = tol**2 * rs
        for _ in range(iters):
            q = self.k**2 * (self.at @ (self.a @ p)) + p / np.float32(r2)
            step = np.float32(rs / float(p @ q))
            x += step * p
            r -= step * q
            new = float(r @ r)
            if new < stop:
                break
            p, rs = r + np.float32(new / rs) * p, new
        return (u0.ravel().astype(np.float32) + x).reshape(self.n, self.n)

    def norm(self, iters=20):
        """Largest singular value of k A, by the power method."""
        v = np.random.default_rng(0).standard_normal(self.n**2).astype(np.float32)
        for _ in range(iters):
            v = self.at @ (self.a @ v)
            size = np.linalg.norm(v)
            v /= size
        return float(np.sqrt(size)) * float(self.k)

    def tv(self, u0, lam, iters=300):
        """min 1/2 |k A(u+1) - y|^2 + lam TV(u), u >= -1, by the primal-dual hybrid gradient method (Chambolle, Pock 2011)."""
        n, f = self.n, np.float32
        la = self.norm()
        w = f(la / np.sqrt(8.0))  # scales the gradient block to the size of the data block
        tau = sig = f(0.99 / np.sqrt(2 * la**2))
        u = u0.ravel().astype(f)
        ub, q, p = u.copy(), np.zeros_like(self.y), np.zeros((2, n, n), f)
        for _ in range(iters):
            q = (q + sig * self.residual(ub)) / (1 + sig)
            g = ub.reshape(n, n)
            p = p + sig * w * np.stack((np.diff(g, axis=1, append=g[:, -1:]), np.diff(g, axis=0, append=g[-1:])))
            p /= np.maximum(1, np.sqrt((p**2).sum(0)) / f(lam / w))
            div = np.diff(p[0], axis=1, prepend=f(0)) + np.diff(p[1], axis=0, prepend=f(0))
            un = np.maximum(u - tau * (self.k * (self.at @ q) - w * div.ravel()), -1)
            ub, u = 2 * un - u, un
        return u.reshape(n, n)
