"""Prototype: SMC of one arm's table as a sorted list of (time, events, censorings) entries."""
from __future__ import annotations
import math
import numpy as np
from numba import njit
from retrial.tables.kernel.compiled import next_bits, uniform, inlined, uncounted, compiled
from retrial.tables.kernel.energy import crossing_energy, limit_energy, penalty, UNDEFINED, SURVIVAL_SCALE, UPPER_LEVEL, LOWER_LEVEL
from retrial.tables.kernel.kaplan_meier import distance_from_half, TOLERANCE
from retrial.tables.kernel.island import level_step, resample

# whole: 0 T, 1 n, 2 pieces, 3 median, 4 rule, 5 lim_lo, 6 lim_hi, 7 events free, 8 number of curve points, 9 n special
# real: 0 se_low 1 se_high 2 se_scale 3 z 4 curve_scale 5 bias_first 6 bias_last

@uncounted
def prior_arm(factors, lev, t, d, c, m, n, T, pieces):
    """log prior of one arm: entries and the gaps between them."""
    total = 0.0
    r = n
    pos = 0            # next grid time to account for
    p = 0
    edge = (T + pieces - 1) // pieces   # first time of piece 1
    ev = lev[1, 0]; ce = lev[0, 0]
    for i in range(m + 1):
        stop = t[i] if i < m else T
        # empty times pos..stop-1 with r at risk
        while pos < stop:
            end = stop if stop < edge else edge
            k = end - pos
            if k > 0:
                base_e = factors[ev, 1, r] + factors[ev, 2, r] + factors[ev, 0, 0]
                base_c = factors[ce, 4, r] + factors[ce, 5, r] + factors[ce, 3, 0]
                total += k * base_e + (k - (1 if end == T else 0)) * base_c
            pos = end
            if pos == edge and pos < T:
                p += 1
                ev = lev[1, p]; ce = lev[0, p]
                edge = ((p + 1) * T + pieces - 1) // pieces
        if i == m:
            break
        if pos == edge and pos < T:
            p += 1
            ev = lev[1, p]; ce = lev[0, p]
            edge = ((p + 1) * T + pieces - 1) // pieces
        stay = r - d[i]
        total += factors[ev, 0, d[i]] + factors[ev, 1, stay] + factors[ev, 2, r]
        if t[i] < T - 1:
            total += factors[ce, 3, c[i]] + factors[ce, 4, stay - c[i]] + factors[ce, 5, stay]
        r = stay - c[i]
        pos = t[i] + 1
    return total

@uncounted
def density(t, d, c, m, n, times, median, inverse, se_low, se_high, se_scale):
    s = 1.0; green = 0.0; before = 1.0; at = 1.0; green_at = 0.0
    ut = 0.0; us = 1.0; lt = -1.0; ls = 0.0
    r = n
    done = False
    for i in range(m):
        e = d[i]
        if t[i] > median and lt >= 0.0:
            break
        if e > 0:
            s *= 1.0 - e * inverse[r]
            green += e * inverse[r] * inverse[r - e]
            if s >= UPPER_LEVEL:
                ut = times[t[i]]; us = s
            if lt < 0.0 and s <= LOWER_LEVEL:
                lt = times[t[i]]; ls = s
        if t[i] < median:
            before = s
        if t[i] <= median:
            at = s; green_at = green
        r -= e + c[i]
    energy = crossing_energy(before, at)
    if se_low != se_low:
        return energy
    if lt < 0.0 or at <= TOLERANCE:
        return energy + UNDEFINED + penalty(max(s - LOWER_LEVEL, 0.0) / SURVIVAL_SCALE)
    se = at * math.sqrt(green_at) * (lt - ut) / (us - ls)
    if se < se_low:
        return energy + penalty((se_low - se) / se_scale)
    if se > se_high:
        return energy + penalty((se - se_high) / se_scale)
    return energy

@uncounted
def crowley(t, d, c, m, n, T, median, rule, lo, hi, z):
    s = 1.0; green = 0.0; before = 1.0; at = 1.0
    ll = np.inf; lh = np.inf; al = np.inf; ah = np.inf
    r = n
    for i in range(m):
        e = d[i]
        if e > 0:
            s *= 1.0 - e / r
            green += e / (r * (1.0 * r - e))
            dist = distance_from_half(s, green, rule)
            k = t[i]
            if k < median:
                before = s
            if k <= median:
                at = s
            if k < lo:
                ll = min(ll, dist)
            if k < hi:
                lh = min(lh, dist)
            if k <= lo:
                al = dist
            if k <= hi:
                ah = dist
            if k > median and k > hi and k > lo:
                break
        r -= e + c[i]
    energy = crossing_energy(before, at)
    energy += limit_energy(lo, ll, al, z, T)
    return energy + limit_energy(hi, lh, ah, -z, T)

@uncounted
def curve_part(t, d, c, m, n, curve, nc, inverse, scale, limit):
    """curve (nc, 3): index, low, high of S just after that index."""
    s = 1.0; r = n; k = 0; energy = 0.0
    for i in range(m + 1):
        nxt = t[i] if i < m else 1 << 30
        while k < nc and curve[k, 0] < nxt:
            if s < curve[k, 1]:
                energy += (curve[k, 1] - s) / scale
            elif s > curve[k, 2]:
                energy += (s - curve[k, 2]) / scale
            k += 1
        if k >= nc or energy > limit or i == m:
            break
        s *= 1.0 - d[i] * inverse[r]
        r -= d[i] + c[i]
    return energy

@uncounted
def arm_energy(whole, real, curve, times, inverse, t, d, c, m, limit):
    energy = 0.0
    n = whole[1]
    if whole[3] >= 0:
        if whole[4] == 0:
            energy += density(t, d, c, m, n, times, whole[3], inverse, real[0], real[1], real[2])
        else:
            energy += crowley(t, d, c, m, n, whole[0], whole[3], whole[4], whole[5], whole[6], real[3])
    if whole[8] > 0 and energy <= limit:
        energy += curve_part(t, d, c, m, n, curve, whole[8], inverse, real[4], limit - energy)
    return energy

@uncounted
def change(t, d, c, m, time, kind, amount):
    """Add amount (may be negative) patients of a kind at a time; returns new number of entries."""
    lo = 0; hi = m
    while lo < hi:
        mid = (lo + hi) >> 1
        if t[mid] < time:
            lo = mid + 1
        else:
            hi = mid
    if lo < m and t[lo] == time:
        if kind == 1:
            d[lo] += amount
        else:
            c[lo] += amount
        if d[lo] == 0 and c[lo] == 0:
            for k in range(lo, m - 1):
                t[k] = t[k + 1]; d[k] = d[k + 1]; c[k] = c[k + 1]
            return m - 1
        return m
    for k in range(m, lo, -1):
        t[k] = t[k - 1]; d[k] = d[k - 1]; c[k] = c[k - 1]
    t[lo] = time
    d[lo] = amount if kind == 1 else 0
    c[lo] = 0 if kind == 1 else amount
    return m + 1

@uncounted
def cell_count(t, d, c, m, time, kind):
    lo = 0; hi = m
    while lo < hi:
        mid = (lo + hi) >> 1
        if t[mid] < time:
            lo = mid + 1
        else:
            hi = mid
    if lo < m and t[lo] == time:
        return d[lo] if kind == 1 else c[lo]
    return 0

@inlined
def pick(t, d, c, m, rank):
    i = 0
    while i < m - 1 and rank >= d[i] + c[i]:
        rank -= d[i] + c[i]
        i += 1
    return i, (1 if rank < d[i] else 0)

@inlined
def log_length(T, state):
    """A step of any scale: log-uniform."""
    u = uniform(state)
    return int(math.exp(u * math.log(T * 1.0)))

@uncounted
def target_density(frm, to, special, ns, T):
    """Part of the proposal that is not symmetric: a share SNAP goes to one of the printed times."""
    for k in range(ns):
        if special[k] == to:
            return 1.0 / ns
    return 0.0

SNAP = 0.15
UNI = 0.15

@uncounted
def step_density(length, T):
    """Probability of exactly this |step| under int(T^u)."""
    return (math.log(length + 1.0) - math.log(length * 1.0)) / math.log(T * 1.0)

@uncounted
def shift_q(frm, to, special, ns, T):
    length = abs(to - frm)
    q = 0.0
    ps = SNAP if ns > 0 else 0.0
    if length < T:
        q += (1.0 - ps - UNI) * 0.5 * step_density(length, T)
    q += UNI / T
    if ns > 0:
        q += ps * target_density(frm, to, special, ns, T)
    return q

@compiled
def arm_walk(whole, real, curve, times, inverse, seg, factors, steps, special, t, d, c, m_in, lev, e_in, b, n_prop, state, t2, d2, c2):
    T, n, pieces, ns = whole[0], whole[1], whole[2], whole[9]
    m = m_in
    K = factors.shape[0]
    lp = prior_arm(factors, lev, t, d, c, m, n, T, pieces)
    energy = e_in
    acc = 0
    hot = b == 0.0
    free = whole[7] == 1
    for it in range(n_prop):
        if K > 1 and (it & 7) == 0:
            bits = np.int64(next_bits(state) >> np.uint64(1))
            kind = bits & 1
            ln = 1 + ((bits >> 3) & 1) * ((bits >> 4) & 1)
            if not (bits >> 1) & 1:
                ln = -ln
            piece = (((bits >> 8) & 0xFFFFFF) * pieces) >> 24
            old = lev[kind, piece]
            new = old + ln
            if 0 <= new < K:
                ch = 0.0
                if piece > 0:
                    ch += steps[kind, lev[kind, piece - 1], new] - steps[kind, lev[kind, piece - 1], old]
                if piece < pieces - 1:
                    ch += steps[kind, new, lev[kind, piece + 1]] - steps[kind, old, lev[kind, piece + 1]]
                lev[kind, piece] = new
                lp2 = prior_arm(factors, lev, t, d, c, m, n, T, pieces)
                if math.log(1.0 - uniform(state)) <= ch + lp2 - lp:
                    lp = lp2
                else:
                    lev[kind, piece] = old
        for k in range(m):
            t2[k] = t[k]; d2[k] = d[k]; c2[k] = c[k]
        m2 = m
        u = uniform(state)
        i, kind = pick(t, d, c, m, int(uniform(state) * n))
        ratio = 1.0
        if u < 0.65:
            frm = t[i]
            v = uniform(state)
            ps = SNAP if ns > 0 else 0.0
            if v < ps:
                to = special[int(uniform(state) * ns)]
            elif v < ps + UNI:
                to = int(uniform(state) * T)
            else:
                ln = log_length(T, state)
                to = frm + (ln if uniform(state) < 0.5 else -ln)
            if to == frm or to < seg[frm, 0] or to > seg[frm, 1]:
                continue
            have = d[i] if kind == 1 else c[i]
            there = cell_count(t, d, c, m, to, kind)
            m2 = change(t2, d2, c2, m2, frm, kind, -1)
            m2 = change(t2, d2, c2, m2, to, kind, 1)
            ratio = (there + 1.0) / have * shift_q(to, frm, special, ns, T) / shift_q(frm, to, special, ns, T)
        elif u < 0.75 and free:
            have = d[i] if kind == 1 else c[i]
            there = c[i] if kind == 1 else d[i]
            m2 = change(t2, d2, c2, m2, t[i], kind, -1)
            m2 = change(t2, d2, c2, m2, t[i], 1 - kind, 1)
            ratio = (there + 1.0) / have
        else:
            j, kind_j = pick(t, d, c, m, int(uniform(state) * n))
            if kind == kind_j or i == j:
                continue
            # status of a patient at i and of one at j change places
            hi_ = d[i] if kind == 1 else c[i]
            hj = d[j] if kind_j == 1 else c[j]
            ti = c[i] if kind == 1 else d[i]
            tj = c[j] if kind_j == 1 else d[j]
            m2 = change(t2, d2, c2, m2, t[i], kind, -1)
            m2 = change(t2, d2, c2, m2, t[i], kind_j, 1)
            m2 = change(t2, d2, c2, m2, t[j], kind_j, -1)
            m2 = change(t2, d2, c2, m2, t[j], kind, 1)
            ratio = (ti + 1.0) * (tj + 1.0) / (hi_ * hj)
        lp2 = prior_arm(factors, lev, t2, d2, c2, m2, n, T, pieces)
        lr = math.log(ratio / (1.0 - uniform(state))) + lp2 - lp
        e2 = 0.0
        if hot:
            if lr < 0.0:
                continue
        else:
            limit = energy + lr / b
            if limit < 0.0:
                continue
            e2 = arm_energy(whole, real, curve, times, inverse, t2, d2, c2, m2, limit)
            if e2 > limit:
                continue
        acc += 1
        m = m2
        lp = lp2
        energy = e2
        for k in range(m):
            t[k] = t2[k]; d[k] = d2[k]; c[k] = c2[k]
    return m, energy, acc

@compiled
def take(parents, t, d, c, m, lev, energy, anc):
    for i in range(parents.size):
        p = parents[i]
        if p != i:
            t[i] = t[p]; d[i] = d[p]; c[i] = c[p]; m[i] = m[p]; lev[i] = lev[p]; energy[i] = energy[p]; anc[i] = anc[p]

@compiled
def run_arm(whole, real, curve, times, inverse, seg, factors, steps, special, t, d, c, m, lev, burn, n_prop, max_prop, share, harvest, looks, last_b, state):
    N, M = t.shape
    t2 = np.empty(M, np.int64); d2 = np.empty(M, np.int64); c2 = np.empty(M, np.int64)
    energy = np.zeros(N); anc = np.arange(N)
    for i in range(N):
        m[i], _, _ = arm_walk(whole, real, curve, times, inverse, seg, factors, steps, special, t[i], d[i], c[i], m[i], lev[i], 0.0, 0.0, burn, state, t2, d2, c2)
        energy[i] = arm_energy(whole, real, curve, times, inverse, t[i], d[i], c[i], m[i], np.inf)
    b, logz, prop, levels, made = 0.0, 0.0, n_prop, 0, 0
    while True:
        agree = (energy == 0.0).sum()
        if agree >= harvest * N or b >= last_b or levels >= 400:
            break
        step = min(level_step(energy, share), last_b - b)
        w = np.exp(-step * energy)
        logz += math.log(w.mean())
        take(resample(w, state), t, d, c, m, lev, energy, anc)
        b += step
        acc = 0
        for i in range(N):
            m[i], energy[i], a = arm_walk(whole, real, curve, times, inverse, seg, factors, steps, special, t[i], d[i], c[i], m[i], lev[i], energy[i], b, prop, state, t2, d2, c2)
            acc += a
        levels += 1
        made += prop * N
        wanted = n_prop * 0.1 * prop * N / max(acc, 1)
        prop = int(min(max(wanted, 0.5 * n_prop), max_prop))
    # harvest: every visit in agreement is kept, with weight 1
    out_t = np.empty((N * looks, M), np.int64); out_d = np.empty((N * looks, M), np.int64); out_c = np.empty((N * looks, M), np.int64)
    out_m = np.empty(N * looks, np.int64); out_lev = np.empty((N * looks, 2, lev.shape[2]), np.int64)
    out_anc = np.empty(N * looks, np.int64)
    k = 0
    between = max(1, prop // 4)
    for i in range(N):
        for look in range(looks):
            if look > 0:
                m[i], energy[i], a = arm_walk(whole, real, curve, times, inverse, seg, factors, steps, special, t[i], d[i], c[i], m[i], lev[i], energy[i], b, between, state, t2, d2, c2)
                made += between
            if energy[i] == 0.0:
                out_t[k] = t[i]; out_d[k] = d[i]; out_c[k] = c[i]; out_m[k] = m[i]; out_lev[k] = lev[i]; out_anc[k] = anc[i]
                k += 1
    if k == 0:
        return -np.inf, b, levels, made, out_t[:0], out_d[:0], out_c[:0], out_m[:0], out_anc[:0]
    logz += math.log(k / (N * looks))
    return logz, b, levels, made, out_t[:k], out_d[:k], out_c[:k], out_m[:k], out_anc[:k]
