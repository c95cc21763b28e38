/* vmath.h - exp, log and their kin on vectors, to one or two units in the last place. */

INLINE vf lanes_of(float (*f)(float), vf x) {
    float lane[LANES];
    store(lane, x);
    for (int i = 0; i < LANES; i++) lane[i] = f(lane[i]);
    return load(lane);
}

INLINE vf is_nan(vf x, vf otherwise) { return choose(x == x, otherwise, x); }

/* x * 2^e for whole e from -252 to 254, in two steps so that denormal results are reached. */
INLINE vf scale_by_two_to(vf x, vi e) {
#if LANES == 16
    return (vf)_mm512_scalef_ps((__m512)x, _mm512_cvtepi32_ps((__m512i)e));
#else
    vi half = e >> 1, rest = e - half;
    return x * (vf)((half + 127) << 23) * (vf)((rest + 127) << 23);
#endif
}

/* e^x: x = n ln 2 + r, a polynomial in r, times 2^n. */
INLINE vf vexp(vf x) {
    vf bounded = vmin(set(89.0f), vmax(set(-104.0f), x));
    vf shifted = bounded * 1.44269504088896341f + 12582912.0f; /* rounds to a whole number in the low bits */
    vi n = (vi)shifted - (vi)set(12582912.0f);
    vf whole = shifted - 12582912.0f;
    vf r = bounded - whole * 0.693359375f;
    r = r - whole * -2.12194440e-4f;
    vf p = set(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    return is_nan(x, scale_by_two_to(p, n));
}

/* ln x: x = m 2^e with m near 1, a polynomial in m - 1. */
INLINE vf vlog(vf x) {
    vi tiny = x < 1.17549435e-38f;
    vf y = choose(tiny, x * 8388608.0f, x);
    vi bits = (vi)y;
    vi e = ((bits - 0x3f3504f3) >> 23);
    vf m = (vf)(bits - (e << 23)) - 1.0f;
    vf exponent = __builtin_convertvector(e, vf) - choose(tiny, set(23.0f), set(0));
    vf p = set(7.0376836292e-2f);
    p = p * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    vf square = m * m;
    vf low = p * m * square + exponent * -2.12194440e-4f - 0.5f * square;
    vf result = low + m + exponent * 0.693359375f;
    result = choose(x == 0, set(-INFINITY), choose(x < 0, set(NAN), choose(x == INFINITY, x, result)));
    return is_nan(x, result);
}

/* e^x - 1 and ln(1 + x) from the two above, with the rounding of the intermediate taken out again (Kahan). */
INLINE vf vexpm1(vf x) {
    vf u = vexp(x), less = u - 1.0f;
    vf corrected = less * x / vlog(u);
    vf far = choose(u == INFINITY, u, choose(less == -1.0f, less, corrected));
    return is_nan(x, choose(u == 1.0f, x, far));
}

INLINE vf vlog1p(vf x) {
    vf u = 1.0f + x, l = vlog(u);
    return is_nan(x, choose(u == 1.0f, x, choose(u == INFINITY, u, choose(u <= 0, l, l * x / (u - 1.0f)))));
}

INLINE vf vabs(vf x) { return (vf)((vi)x & 0x7fffffff); }

INLINE vf with_sign_of(vf sign, vf x) { return (vf)(((vi)x & 0x7fffffff) | ((vi)sign & (int32_t)0x80000000)); }

/* tanh x: a polynomial near 0, from e^(2|x|) elsewhere. */
INLINE vf vtanh(vf x) {
    vf size = vabs(x), square = x * x;
    vf p = set(-5.70498872745e-3f);
    p = p * square + 2.06390887954e-2f;
    p = p * square - 5.37397155531e-2f;
    p = p * square + 1.33314422036e-1f;
    p = p * square - 3.33332819422e-1f;
    vf near = p * square * x + x;
    vf far = with_sign_of(x, 1.0f - 2.0f / (vexp(2.0f * vmin(set(20.0f), size)) + 1.0f));
    return is_nan(x, choose(size < 0.625f, near, far));
}

INLINE vf vsigmoid(vf x) {
    vf e = vexp(-vabs(x));
    return choose(x >= 0, set(1), e) / (1.0f + e);
}

INLINE vf vsoftplus(vf x) { return vmax(set(0), x) + vlog1p(vexp(-vabs(x))); }
