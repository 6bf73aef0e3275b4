"""Prototype: pairs of arms; joint energies; annealing of pairs with local moves."""
from __future__ import annotations
import math
import numpy as np
import arm as A
from retrial.tables.kernel.compiled import next_bits, uniform, inlined, uncounted, compiled
from retrial.tables.kernel.energy import ratio_energy, excess
from retrial.tables.kernel.comparison import *
from retrial.tables.kernel.problem import BETA, CHI_SQUARE, SCALARS, START
from retrial.tables.kernel.island import level_step, resample

@uncounted
def merge(t0, d0, c0, m0, n0, t1, d1, c1, m1, n1, d, r, t2, c2):
    """Columns of the distinct times of both arms: d (3, .), r (3, .); t2, c2 of the total group. Returns their number."""
    i = 0; j = 0; k = 0; r0 = n0; r1 = n1
    while i < m0 or j < m1:
        a = t0[i] if i < m0 else 1 << 40
        b = t1[j] if j < m1 else 1 << 40
        t = min(a, b)
        e0 = 0; x0 = 0; e1 = 0; x1 = 0
        if a == t:
            e0 = d0[i]; x0 = c0[i]; i += 1
        if b == t:
            e1 = d1[j]; x1 = c1[j]; j += 1
        t2[k] = t
        d[0, k] = e0; d[1, k] = e1; d[2, k] = e0 + e1
        r[0, k] = r0; r[1, k] = r1; r[2, k] = r0 + r1
        c2[k] = x0 + x1
        r0 -= e0 + x0; r1 -= e1 + x1
        k += 1
    r[0, k] = 0; r[1, k] = 0; r[2, k] = 0
    return k

@compiled
def statistics(real, inverse, d, r, need, out_ratio, out_test):
    """Energies of each estimator (4) and each test (7) that is needed, for reading-independent intervals."""
    start = real[SCALARS, START]
    observed, expected, expected_control, variance, untied = log_rank_sums(d, r, inverse)
    if need[0]:
        b, inf_ = cox(d, r, BRESLOW, start)
        out_ratio[0] = ratio_energy(real, b, 1.0 / math.sqrt(inf_))
        out_test[3] = excess(b * b * inf_, real, CHI_SQUARE)
        out_test[5] = excess(likelihood_ratio(d, r, BRESLOW, b), real, CHI_SQUARE)
    if need[1]:
        b, inf_ = cox(d, r, EFRON, start)
        out_ratio[1] = ratio_energy(real, b, 1.0 / math.sqrt(inf_))
        out_test[4] = excess(b * b * inf_, real, CHI_SQUARE)
        out_test[6] = excess(likelihood_ratio(d, r, EFRON, b), real, CHI_SQUARE)
    out_ratio[2] = ratio_energy(real, (observed - expected) / variance, 1.0 / math.sqrt(variance))
    control = expected + expected_control - observed
    beta = math.log(observed * expected_control / (control * expected)) if observed * control > 0.0 else np.inf
    out_ratio[3] = ratio_energy(real, beta, math.sqrt(1.0 / expected + 1.0 / expected_control))
    out_test[0] = excess((observed - expected) ** 2 / variance, real, CHI_SQUARE)
    out_test[1] = excess((observed - expected) ** 2 / untied, real, CHI_SQUARE)
    score, information = efron_score(d, r, 0.0)
    out_test[2] = excess(score * score / information, real, CHI_SQUARE)

@compiled
def pair_energies(I, J, whole_t, real_t, curve0, times, real, inverse, combos, t0, d0, c0, m0, n0, t1, d1, c1, m1, n1, out_total, out):
    """For pairs (I, J): energy of the total group, and (P, R) of ratio + test for each reading."""
    M = t0.shape[1] + t1.shape[1] + 2
    d = np.zeros((3, M), np.int64); r = np.zeros((3, M), np.int64); tt = np.zeros(M, np.int64); cc = np.zeros(M, np.int64)
    er = np.zeros(5); et = np.zeros(8)
    need = np.ones(2, np.bool_)
    for p in range(I.size):
        i = I[p]; j = J[p]
        k = merge(t0[i], d0[i], c0[i], m0[i], n0, t1[j], d1[j], c1[j], m1[j], n1, d, r, tt, cc)
        out_total[p] = A.arm_energy(whole_t, real_t, curve0, times, inverse, tt, d[2], cc, k, np.inf)
        statistics(real, inverse, d[:, :k], r[:, :k + 1], need, er, et)
        for q in range(combos.shape[0]):
            e = 0.0
            if combos[q, 0] >= 0:
                e += er[combos[q, 0]]
            if combos[q, 1] >= 0:
                e += et[combos[q, 1]]
            out[p, q] = e
