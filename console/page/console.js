/*! Generated from console/src by node tools/build/generate.ts. It contains preact 11.2.0:

The MIT License (MIT)

Copyright (c) 2015-present Jason Miller

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
*/
var n;
var t$1;
var r$1;
var u$1;
var i$1;
var f$1;
var o$1;
var e$1;
var l$1;
var c$1;
var a$1;
var s$1;
var h$1 = Symbol.for("pv");
var p$1 = {};
var y$1 = [];
var v$1 = /^m(i|n|o|s|text|space)$/;
var w$1 = Array.isArray;
var d$1 = y$1.slice;
var _$1 = Object.assign;
function g$1(n) {
	n && n.parentNode && n.remove();
}
function k$1(n, t, r) {
	var u, i, f, o = {}, e = arguments.length;
	for (f in t) "key" == f ? u = t[f] : "ref" == f && "function" != typeof n ? i = t[f] : o[f] = t[f];
	return e > 2 && (o.children = e > 3 ? d$1.call(arguments, 2) : r), m$1(n, o, u, i, null);
}
function m$1(r, u, i, f, o) {
	var e = {
		type: r,
		props: u,
		key: i,
		ref: f,
		__k: null,
		__: null,
		__b: 0,
		__e: null,
		__c: null,
		constructor: h$1,
		__v: o || ++t$1,
		__i: -1,
		__u: 0
	};
	return !o && n.vnode && n.vnode(e), e;
}
function $(n) {
	return n.children;
}
function x(n, t) {
	this.props = n, this.context = t, this.__g = 0;
}
function S(n, t) {
	if (null == t) return n.__ && S(n.__, n.__i + 1);
	for (var r; t < n.__k.length; t++) if ((r = n.__k[t]) && r.__e) return r.__e;
	return "function" != typeof n.type || n.props.__P ? null : S(n);
}
function C$1(t) {
	var r, u = t.__v, i = u.__e, f = [], o = [], e = t.__P;
	e && ((r = _$1({ constructor: h$1 }, u)).__v = u.__v + 1, n.vnode && n.vnode(r), z$1(e, r, u, t.__n, e.namespaceURI, 32 & u.__u ? [i] : null, f, i || S(u), 32 & u.__u, o), r.__v = u.__v, r.__.__k[r.__i] = r, E$1(f, r, o), u.__ = u.__e = null, r.__e != i && j(r));
}
function j(n) {
	if ((n = n.__) && n.__c && !n.props.__P) return n.__e = null, n.__k.some(function(t) {
		return t && (n.__e = t.__e);
	}), j(n);
}
function L(t) {
	(8 & t.__g || (t.__g |= 8, u$1.push(t), f$1++)) && i$1 == n.debounceRendering || ((i$1 = n.debounceRendering) || queueMicrotask)(H);
}
function H() {
	try {
		for (var n, t = 1; u$1.length;) u$1.length > t && u$1.sort(o$1), n = u$1.shift(), t = u$1.length, 8 & n.__g && C$1(n);
	} finally {
		(f$1 = u$1.length) && (i$1 || queueMicrotask)(H);
	}
}
function I(n, t, r, u, i, f, o, e, l, c, a) {
	var s, h, v, w, d, _, g = u.__k || y$1, k = t.length;
	for (l = q(r, t, g, l, k), s = 0; s < k; s++) null != (v = r.__k[s]) && (h = ~v.__i && g[v.__i] || p$1, v.__i = s, _ = z$1(n, v, h, i, f, o, e, l, c, a), w = v.__e, (h.ref != v.ref || 8 & h.__u) && (h.ref && G$1(h.ref, null, v, h), v.ref && a.push(v.ref, v.__c || w, v)), d = d || w, 4 & v.__u ? (l = A$1(v, l, n, !h.__v), h.__e && (h.__e = null)) : "function" == typeof v.type && void 0 !== _ ? l = _ : w && (l = w.nextSibling), v.__u &= -21);
	return r.__e = d, l;
}
function q(n, t, r, u, i) {
	var f, o, e, l, c, a, s, p, y, v = r.length, d = v, _ = 0, g = 0, k = n.__k = Array(i);
	for (f = 0; f < i; f++) null != (o = t[f]) && "boolean" != typeof o && "function" != typeof o ? ("object" != typeof o || o.constructor === String ? o = k[f] = m$1(null, o) : w$1(o) ? o = k[f] = m$1($, { children: o }) : o.constructor === h$1 && o.__b ? o = k[f] = m$1(o.type, o.props, o.key, o.ref, o.__v) : k[f] = o, l = f + _, o.__ = n, o.__b = n.__b + 1, e = null, ~(c = o.__i = P(o, r, l, d)) && (d--, (e = r[c]) && (e.__u |= 2)), e && e.__v ? (o.__u |= 16, c == l - 1 ? _-- : c == l + 1 ? _++ : c != l && (c > l ? _-- : _++, g = 1)) : (~c || (i > v ? _-- : i < v && _++), "function" != typeof o.type && (o.__u |= 4))) : k[f] = null;
	if (g) {
		for (a = [], s = [], f = 0; f < i; f++) if ((o = k[f]) && 16 & o.__u) {
			for (_ = 0, p = a.length; _ < p;) a[y = _ + p >> 1] < o.__i ? _ = y + 1 : p = y;
			a[_] = o.__i, s[f] = _ + 1;
		}
		for (_ = a.length; f--;) s[f] && (s[f] == _ ? _-- : k[f].__u |= 4);
	}
	if (d) for (f = 0; f < v; f++) !(e = r[f]) || 2 & e.__u || (e.__e == u && (u = S(e)), J(e, e));
	return u;
}
function A$1(n, t, r, u) {
	var i, f, o, e;
	if ("function" == typeof n.type) {
		if (n.props.__P) return t;
		if (i = n.__k) for (f = 0; f < i.length; f++) i[f] && (i[f].__ = n, t = A$1(i[f], t, r, !1));
		return t;
	}
	for (t && !t.parentNode && (t = S(n)) && !t.parentNode && (t = null), o = n.__e, e = t; e && 8 == e.nodeType;) e = e.nextSibling;
	for (o != e && (!u && r.moveBefore && o.parentNode ? r.moveBefore(o, t) : r.insertBefore(o, t || null)), t = o; (t = t && t.nextSibling) && 8 == t.nodeType && !t.data.startsWith("$s"););
	return t;
}
function P(n, t, r, u) {
	var i, f = n.key, o = n.type, e = t[r], l = e && !(2 & e.__u);
	if (null === e && null == f || l && f == e.key && o == e.type) return r;
	if (u > (l ? 1 : 0)) {
		for (i = r - 1; i >= 0; i--) if ((e = t[i]) && !(2 & e.__u) && f == e.key && o == e.type) return i;
		for (i = r + 1; i < t.length; i++) if ((e = t[i]) && !(2 & e.__u) && f == e.key && o == e.type) return i;
	}
	return -1;
}
function T$1(n, t, r) {
	r ??= "", "-" == t[0] ? n.setProperty(t, r) : n[t] = r;
}
function N(n, t, r, u, i) {
	var f, o;
	if ("style" == t) if ("string" == typeof r) n.style.cssText = r;
	else {
		if ("string" == typeof u && (n.style.cssText = u = ""), u) for (t in u) r && t in r || T$1(n.style, t);
		if (r) for (t in r) u && r[t] == u[t] || T$1(n.style, t, r[t]);
	}
	else if ("o" == t[0] && "n" == t[1]) "function" != typeof r && (r = null), "function" != typeof u && (u = null), (n.__e || (n.__e = {}))[t] = r, r && u || (o = a$1[t] || (a$1[t] = V(t)), (n.__a || (n.__a = {}))[t] = c$1, f = t != (t = t.replace(l$1, "$1")), (t = t.slice(2))[0] < "a" && (t = t.toLowerCase()), r ? n.addEventListener(t, o, f) : n.removeEventListener(t, o, f));
	else {
		if ("http://www.w3.org/2000/svg" == i) t = t.replace(/xlink(H|:h)/, "h").replace(/sName$/, "s");
		else if ("width" != t && "height" != t && "href" != t && "list" != t && "form" != t && "tabIndex" != t && "download" != t && "rowSpan" != t && "colSpan" != t && "role" != t && "popover" != t && t in n) try {
			n[t] = null == r ? "" : r;
			return;
		} catch (n) {}
		if ("function" == typeof r) return;
		null == r || !1 === r && "-" != t[4] ? n.removeAttribute(t) : n.setAttribute(t, "popover" == t && 1 == r ? "" : r);
	}
}
function V(t) {
	return function(r) {
		var u = this.__e;
		if (u) {
			if (u = u[t], null == r[e$1]) r[e$1] = c$1++;
			else if (r[e$1] < this.__a[t]) return;
			return u(n.event ? n.event(r) : r);
		}
	};
}
function z$1(t, r, u, i, f, o, e, l, c, a) {
	var s, p, v, d, k, b, m, M, C, j, L, H, q, A, O, P, T, N, V = r.type;
	if (r.constructor !== h$1) return null;
	128 & u.__u && (c = 32 & u.__u, s = u.__c.__z) && (r.__u |= c, p = o = [], 8 == s.nodeType ? l = B$1(s, o) : o.push(s), l = o[0] || l), (s = n.__b) && s(r);
	n: if ("function" == typeof V) {
		v = e.length;
		try {
			if (M = r.props, C = (s = V.prototype) && s.render, j = (s = V.contextType) && i[s.__c], L = s ? j ? j.props.value : s.__ : i, (d = u.__c) ? (r.__c = d, 2 & d.__g && (d.__g |= 1)) : (C ? r.__c = d = new V(M, L) : (r.__c = d = new x(M, L), d.constructor = V, d.render = K), j && j.sub(d), d.state || (d.state = {}), d.__n = i, d.__g |= 8, d.__h = [], d.__k = []), C && (d.__s || (d.__s = d.state), V.getDerivedStateFromProps && (d.__s == d.state && (d.__s = _$1({}, d.__s)), _$1(d.__s, V.getDerivedStateFromProps(M, d.__s)))), k = d.props, b = d.state, d.__v = r, u.__c) {
				if (M !== k && C && !V.getDerivedStateFromProps && d.componentWillReceiveProps && d.componentWillReceiveProps(M, L), r.__v == u.__v && !(8 & d.__g) || !(4 & d.__g) && d.shouldComponentUpdate && !1 === d.shouldComponentUpdate(M, d.__s, L)) {
					r.__v != u.__v && (d.props = M, d.state = d.__s, d.__g &= -9), r.__e = u.__e, r.__k = u.__k, r.__k.some(function(n) {
						n && (n.__ = r);
					}), y$1.push.apply(d.__h, d.__k), d.__k = [], d.__h.length && e.push(d), l = S(u);
					break n;
				}
				d.componentWillUpdate && d.componentWillUpdate(M, d.__s, L), C && d.componentDidUpdate && d.__h.push(function() {
					d.componentDidUpdate(k, b, m);
				});
			} else C && !V.getDerivedStateFromProps && d.componentWillMount && d.componentWillMount(), C && d.componentDidMount && d.__h.push(d.componentDidMount);
			d.context = L, d.props = M, d.__P = t, d.__g &= -5, H = n.__r, q = C ? 25 : 0;
			do
				d.__g &= -9, H && H(r), s = d.render(d.props, d.state = d.__s, d.context);
			while (8 & d.__g && ++q < 25);
			C && (y$1.push.apply(d.__h, d.__k), d.__k = []), d.state = d.__s, d.getChildContext && (i = _$1({}, i, d.getChildContext())), C && u.__c && d.getSnapshotBeforeUpdate && (m = d.getSnapshotBeforeUpdate(k, b)), A = s && s.type === $ && null == s.key ? s.props.children : s, M.__P && (s = l, f = (t = M.__P).namespaceURI, c = o = null, u.props && u.props.__P != t && (u.__k.some(function(n) {
				n && J(n, n);
			}), u.__k = null), l = u.__k ? S(u, 0) : null), l = I(t, w$1(A) ? A : [A], r, u, i, f, o, e, l, c, a), M.__P && (r.__e = null, l = s), r.__u &= -161, p && p.some(g$1), d.__h.length && e.push(d), 1 & d.__g && (d.__g &= -4);
		} catch (t) {
			if (e.length = v, r.__v = null, c || o) if (t && t.then) {
				if (r.__u |= 128 | c, o) {
					for (~(T = o.indexOf(l || void 0)) || (T = o.length); (N = o[T - 1]) && 8 == N.nodeType;) T--;
					for (; T < o.length; T++) if (N = o[T]) if (o[T] = null, O) {
						if (N == P) break;
					} else {
						if (8 != N.nodeType) break;
						N.data.startsWith("$s") && (P = B$1(O = N));
					}
				}
				if (!O) {
					for (; l && 8 == l.nodeType && l.nextSibling;) l = l.nextSibling;
					O = l;
				}
				(s = B$1(O = r.__c.__z || (r.__c.__z = O))) ? (r.__e = O, l = s) : r.__e = l, l = l && l.nextSibling;
			} else o && o.some(g$1);
			else r.__e = u.__e;
			r.__k || (r.__k = u.__k || []), t && t.then || D$1(r), n.__e(t, r, u);
		}
	} else l = r.__e = F(u.__e, r, u, i, f, o, e, c, a, t);
	return (s = n.diffed) && s(r), l;
}
function B$1(n, t) {
	if (n && 8 == n.nodeType && n.data.startsWith("$s")) for (var r = 1; n = n.nextSibling;) {
		if (8 == n.nodeType) {
			if (n.data.startsWith("$s")) r++;
			else if (n.data.startsWith("/$s") && !--r) return n;
		}
		t && t.push(n);
	}
}
function D$1(n) {
	n && (n.__c && (n.__c.__g |= 4), n.__k && n.__k.some(D$1));
}
function E$1(t, r, u) {
	for (var i = 0; i < u.length;) G$1(u[i++], u[i++], u[i++]);
	n.__c && n.__c(r, t), t.some(function(r) {
		try {
			t = r.__h, r.__h = [], t.some(function(n) {
				n.call(r);
			});
		} catch (t) {
			n.__e(t, r.__v);
		}
	});
}
function F(t, r, u, i, f, o, e, l, c, a) {
	var s, h, y, _, k, b, m, M, $ = u.props || p$1, x = r.props, C = r.type;
	if ("svg" == C ? f = "http://www.w3.org/2000/svg" : "math" == C ? f = "http://www.w3.org/1998/Math/MathML" : f || (f = "http://www.w3.org/1999/xhtml"), o) {
		for (s = 0; s < o.length; s++) if ((k = o[s]) && (C ? k.localName == C : 3 == k.nodeType)) {
			t = k, o[s] = null;
			break;
		}
	}
	if (!t) {
		if (M = a.ownerDocument || document, !C) return M.createTextNode(x);
		t = M.createElementNS(f, C, x.is ? x : a), l && (n.__m && n.__m(r, o), l = !1), o = null;
	}
	if (C) {
		if (a = "template" == C && t.content || t, o = "textarea" == C && null != x.defaultValue ? null : o && d$1.call(a.childNodes), !l && o) for ($ = {}, s = 0; s < t.attributes.length; s++) $[(k = t.attributes[s]).name] = k.value;
		for (s in $) k = $[s], "dangerouslySetInnerHTML" == s ? y = k : "children" == s || s in x || "value" == s && "defaultValue" in x || "checked" == s && "defaultChecked" in x || N(t, s, null, k, f);
		for (s in x) k = x[s], "children" == s ? _ = k : "dangerouslySetInnerHTML" == s ? h = k : "value" == s ? b = k : "checked" == s ? m = k : l && "function" != typeof k || $[s] === k || N(t, s, k, $[s], f);
		h ? (l || y && (h.__html == y.__html || h.__html == t.innerHTML) || (t.innerHTML = h.__html), r.__k = []) : (y && (t.textContent = ""), ("foreignObject" == C || "http://www.w3.org/1998/Math/MathML" == f && v$1.test(C)) && (f = "http://www.w3.org/1999/xhtml"), I(a, w$1(_) ? _ : [_], r, u, i, f, o, e, o ? o[0] : u.__k && S(u, 0), l, c), o && o.some(g$1)), l && "textarea" != C || (s = "value", "progress" == C && null == b ? t.removeAttribute(s) : null == b || b === t[s] && ("progress" != C || b) || N(t, s, b, $[s], f), s = "checked", null != m && m != t[s] && N(t, s, m, $[s], f));
	} else $ === x || l && t.data == x || (t.data = x);
	return t;
}
function G$1(t, r, u, i) {
	try {
		"function" == typeof t ? r ? r.__x = t(r) || 1 : i && (i = i.__c || i.__e) && (r = i.__x) && (i.__x = null, "function" == typeof r ? r() : t(null)) : t.current = r;
	} catch (t) {
		n.__e(t, u);
	}
}
function J(t, r, u) {
	var i, f, o, e;
	if (n.unmount && n.unmount(t), !(i = t.ref) || i.current && i.current != t.__e || G$1(i, null, r, t), i = t.__c) {
		if (i.componentWillUnmount) try {
			i.componentWillUnmount();
		} catch (t) {
			n.__e(t, r);
		}
		i.__P = i.__n = null;
	}
	if (i = t.__k) for (e = 0; e < i.length; e++) i[e] && J(i[e], r, "function" != typeof t.type || u && !t.props.__P);
	!u && (i = t.__c) && (i = i.__z) && (f = B$1(i, o = [])) && (i == t.__e && o.some(g$1), g$1(f), g$1(i)), u || g$1(t.__e), t.__e = t.__c = t.__ = null;
}
function K(n, t, r) {
	return this.constructor(n, r);
}
function Q(t, r) {
	var u, i, f, o;
	n.__ && n.__(t, r), 9 == r.nodeType && (r = r.documentElement), i = (u = t && 32 & t.__u) ? null : r.__k, r.__k = m$1($, { children: [t] }), f = [], o = [], z$1(r, r.__k, i || p$1, p$1, r.namespaceURI, i ? null : r.firstChild ? d$1.call(r.childNodes) : null, f, i ? i.__e : r.firstChild, u, o), E$1(f, r.__k, o), r.__k.props.children = null;
}
n = { __e: function(n, t, r, u) {
	for (var i, o, e; t = t.__;) if ((i = t.__c) && !(1 & i.__g)) {
		i.__g |= 4;
		try {
			if ((e = (o = i.constructor) && o.getDerivedStateFromError) && i.setState(o.getDerivedStateFromError(n)), i.componentDidCatch && (i.componentDidCatch(n, u || {}), e = 1), e && 8 & i.__g) return void (i.__g |= 2);
		} catch (t) {
			n = t;
		}
	}
	throw f$1 = 0, n;
} }, t$1 = 0, r$1 = function(n) {
	return null != n && n.constructor === h$1;
}, x.prototype.setState = function(n, t) {
	var r = this.__s;
	r && r != this.state || (r = this.__s = _$1({}, this.state)), "function" == typeof n && (n = n(_$1({}, r), this.props)), n && (_$1(r, n), this.__v && (t && this.__k.push(t), L(this)));
}, x.prototype.forceUpdate = function(n) {
	this.__v && (this.__g |= 4, n && this.__h.push(n), L(this));
}, x.prototype.render = $, u$1 = [], f$1 = 0, o$1 = function(n, t) {
	return n.__v.__b - t.__v.__b;
}, e$1 = Symbol(), l$1 = /(PointerCapture)$|Capture$/i, c$1 = 0, a$1 = {}, s$1 = 0;

var t;
var r;
var u;
var i;
var o = Object.is;
var f = 0;
var c = [];
var e = [];
var a = n;
var v = a.__b;
var l = a.__r;
var m = a.diffed;
var h = a.__c;
var s = a.unmount;
var p = a.__;
function y(n, t) {
	a.__h && a.__h(r, n, f || t), f = 0;
	var u = r.__H || (r.__H = {
		__: [],
		__h: []
	});
	return n >= u.__.length && u.__.push({}), u.__[n];
}
function d(n) {
	return f = 1, _(G, n);
}
function _(n, u, i) {
	var f = y(t++, 2);
	if (f.t = n, !f.__c && (f.__ = [i ? i(u) : G(void 0, u), function(n) {
		var t = (f.__N || f.__)[0], r = f.t(t, n);
		o(t, r) || (f.__N = [r, f.__[1]], f.__c.setState({}));
	}], f.__c = r, !r.__f)) {
		r.__f = !0;
		var c = r.shouldComponentUpdate;
		r.shouldComponentUpdate = function(n, t, r) {
			var u = this.__H;
			if (!u) return !0;
			var i = !1, f = this.props != n;
			if (u.__.some(function(n) {
				n.__N && (i = !0, o(n.__[0], n.__N[0]) || (f = !0));
			}), c) {
				var e = c.call(this, n, t, r);
				return i ? e || f : e;
			}
			return !i || f;
		};
	}
	return f.__;
}
function A(n, u) {
	var i = y(t++, 3);
	!a.__s && E(i.__H, u) && (i.__P = !0, i.__ = n, i.u = u, r.__H.__h.push(i));
}
function T(n) {
	return f = 5, w(function() {
		return { current: n };
	}, []);
}
function w(n, r) {
	var u = y(t++, 7);
	return E(u.__H, r) && (u.__ = n(), u.__H = r), u.__;
}
function g() {
	var n;
	do {
		for (; n = e.shift();) try {
			C(n);
		} catch (t) {
			a.__e(t, { __: (n = n.__P) && n.__v });
		}
		for (; n = c.shift();) {
			var t = n.__H;
			if (n.__P && t) try {
				t.__h.some(C), t.__h.some(D), t.__h = [];
			} catch (r) {
				t.__h = [], a.__e(r, n.__v);
			}
		}
	} while (e.length);
}
a.__b = function(n) {
	r = null, v && v(n);
}, a.__ = function(n, t) {
	n && t.__k && t.__k.__m && (n.__m = t.__k.__m), p && p(n, t);
}, a.__r = function(n) {
	l && l(n), t = 0;
	var i = (r = n.__c).__H;
	i && (u == r ? r.__h = [] : (i.__h.some(C), i.__h.some(D), t = 0), i.__h = [], i.__.some(function(n) {
		n.__N && (n.__ = n.__N), n.u = n.__N = void 0;
	})), u = r;
}, a.diffed = function(n) {
	m && m(n);
	var t = n.__c;
	t && t.__H && (t.__H.__h.length && B(c.push(t)), t.__H.__.some(function(n) {
		n.u && (n.__H = n.u);
	})), u = r = null;
}, a.__c = function(n, t) {
	t.some(function(n) {
		try {
			n.__h.some(C), n.__h = n.__h.filter(function(n) {
				return !n.__ || D(n);
			});
		} catch (t) {
			n.__h = [function() {
				throw t;
			}];
		}
	}), h && h(n, t);
}, a.unmount = function(n) {
	s && s(n);
	var t, r, u = n.__c;
	u && u.__H && (u.__H.__.some(function(u) {
		try {
			if (u.__P && u.__c) {
				if (void 0 === r) {
					for (r = n.__; r && (!r.__c || !r.__c.__P);) r = r.__;
					r = r && r.__c;
				}
				u.__P = r, B(e.push(u));
			} else C(u);
		} catch (n) {
			t = n;
		}
	}), u.__H = void 0, t && a.__e(t, u.__v));
};
var k = "function" == typeof requestAnimationFrame;
function z(n) {
	var t, r = function() {
		clearTimeout(u), k && cancelAnimationFrame(t), setTimeout(n);
	}, u = setTimeout(r, 35);
	k && (t = requestAnimationFrame(r));
}
function B(n) {
	1 != n && i == a.requestAnimationFrame || ((i = a.requestAnimationFrame) || z)(g);
}
function C(n) {
	var t = r, u = n.__c;
	"function" == typeof u && (n.__c = void 0, u()), r = t;
}
function D(n) {
	var t = r;
	n.__c = n.__(), r = t;
}
function E(n, t) {
	return !n || n.length != t.length || t.some(function(t, r) {
		return !o(t, n[r]);
	});
}
function G(n, t) {
	return "function" == typeof t ? t(n) : t;
}

function readAddress(hash) {
	const [path = "", query = ""] = hash.replace(/^#?\/?/, "").split("?", 2);
	const [view = "", ...rest] = path.split("/");
	const search = Object.fromEntries(new URLSearchParams(query));
	return {
		view: view === "" ? "problems" : view,
		id: decode(rest.join("/")),
		search
	};
}
function linkTo(view, id = "", search = {}) {
	const fields = Object.entries(search).filter((field) => {
		return field[1] !== void 0 && field[1] !== "";
	});
	const query = new URLSearchParams(fields).toString();
	return `#/${id === "" ? view : `${view}/${encodeURIComponent(id)}`}${query === "" ? "" : `?${query}`}`;
}
function decode(text) {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}

const ANSWER_TIMEOUT_MS = 15e3;
var ApiError = class extends Error {
	status;
	code;
	field;
	constructor(facts) {
		super(facts.message);
		this.status = facts.status;
		this.code = facts.code;
		this.field = facts.field;
	}
	get isAway() {
		return this.status === 0 || this.status >= 500 || this.status === 429;
	}
};
function pathOf(...parts) {
	return `/${parts.map(encodeURIComponent).join("/")}`;
}
let csrf = null;
let skewMs = 0;
let onSignedOut = () => void 0;
function hearSignOut(listener) {
	onSignedOut = listener;
}
function serverNow() {
	return Date.now() + skewMs;
}
function keepSkew(answer) {
	const date = answer.headers.get("date");
	if (date === null) return;
	const found = Date.parse(date) + 500 - Date.now();
	skewMs = Math.abs(found) < 2e3 ? 0 : found;
}
async function call({ method = "GET", path, query, body, signal }) {
	return await (await send$1({
		method,
		path,
		query,
		body,
		signal
	}, {})).json();
}
async function callBulk(request, onProgress) {
	const answer = await send$1(request, { Accept: "text/event-stream" });
	if (answer.headers.get("content-type") !== "text/event-stream") return await answer.json();
	for await (const { event, data } of readEvents(answer)) if (event === "progress") onProgress(data);
	else if (event === "report") return data;
	else throw toError(0, data);
	throw new ApiError({
		status: 0,
		code: "unavailable",
		message: "the answer ended before its report"
	});
}
async function send$1({ method = "GET", path, query, body, signal }, headers) {
	const limits = [..."Accept" in headers ? [] : [AbortSignal.timeout(ANSWER_TIMEOUT_MS)], ...signal ? [signal] : []];
	let answer;
	try {
		answer = await fetch(path + queryOf$1(query), {
			method,
			credentials: "same-origin",
			redirect: "error",
			headers: {
				Accept: "application/json",
				...headers,
				...body === void 0 ? {} : { "Content-Type": "application/json" },
				...method === "GET" || csrf === null ? {} : { "Murmur-CSRF": csrf }
			},
			...body === void 0 ? {} : { body: JSON.stringify(body) },
			...limits.length === 0 ? {} : { signal: AbortSignal.any(limits) }
		});
	} catch (error) {
		if (signal?.aborted === true) throw error;
		throw new ApiError({
			status: 0,
			code: "unavailable",
			message: "the API does not answer"
		});
	}
	keepSkew(answer);
	if (answer.ok) return answer;
	const failure = toError(answer.status, await answer.json().catch(() => null));
	if (answer.status === 401 && !path.endsWith("/session")) onSignedOut();
	throw failure;
}
function toError(status, body) {
	const { error } = body ?? {};
	const { code = "internal", message = `the API answered with status ${status}`, field } = error ?? {};
	return new ApiError({
		status,
		code,
		message,
		field
	});
}
function queryOf$1(query = {}) {
	const search = new URLSearchParams();
	for (const [name, value] of Object.entries(query)) {
		if (value === void 0 || value === "") continue;
		for (const each of Array.isArray(value) ? value : [value]) search.append(name, String(each));
	}
	const text = search.toString();
	return text === "" ? "" : `?${text}`;
}
async function* readEvents(answer) {
	const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
	let text = "";
	for (;;) {
		const piece = await reader?.read();
		if (piece === void 0 || piece.done) return;
		text += piece.value;
		for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
			const lines = text.slice(0, end).split("\n");
			text = text.slice(end + 2);
			const field = (name) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
			const event = field("event");
			if (event !== void 0) yield {
				event,
				data: JSON.parse(field("data") ?? "null")
			};
		}
	}
}
async function findSession() {
	try {
		return keep(await call({ path: "/v1/session" }));
	} catch (error) {
		if (error instanceof ApiError && error.status === 401) return null;
		throw error;
	}
}
async function logIn(token) {
	return keep(await call({
		method: "POST",
		path: "/v1/session",
		body: { token }
	}));
}
async function logOut() {
	await call({
		method: "DELETE",
		path: "/v1/session"
	});
	csrf = null;
}
function keep(session) {
	csrf = session.csrf;
	return session;
}

const VIEWS = [
	{
		view: "problems",
		title: "What is wrong now?",
		key: "1",
		parts: []
	},
	{
		view: "stuck",
		title: "Stuck",
		key: "2",
		parts: []
	},
	{
		view: "dead",
		title: "Dead letters",
		key: "3",
		parts: []
	},
	{
		view: "tasks",
		title: "Tasks",
		key: "4",
		parts: ["task"]
	},
	{
		view: "queues",
		title: "Queues",
		key: "5",
		parts: []
	},
	{
		view: "agents",
		title: "Agents",
		key: "6",
		parts: []
	},
	{
		view: "workflows",
		title: "Workflows",
		key: "7",
		parts: ["workflow"]
	},
	{
		view: "ballots",
		title: "Ballots",
		key: "8",
		parts: ["ballot"]
	},
	{
		view: "office",
		title: "Office",
		key: "9",
		parts: []
	}
];
function viewOfKey(key) {
	return VIEWS.find((each) => each.key === key)?.view;
}
const HELP = [
	...VIEWS.map(({ key, title }) => [key, title]),
	["/", "go to the search or the filter"],
	["j or ↓", "the next row"],
	["k or ↑", "the row before"],
	["Enter", "open the row"],
	["Tab", "the buttons of the row, and then the next part"],
	["Esc", "leave a field, close a dialog"],
	["?", "this help"]
];

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 1e4;
const PROBE_EVERY_MS = 1e4;
var HintStream = class {
	#onHint;
	#onState;
	#socket;
	#filter = {};
	#pauseMs = FIRST_PAUSE_MS;
	#timer;
	#probe;
	#state = "connecting";
	constructor(parts) {
		this.#onHint = parts.onHint;
		this.#onState = parts.onState;
	}
	get state() {
		return this.#state;
	}
	follow(filter) {
		if (this.#filter.kind === filter.kind && this.#filter.id === filter.id && this.#socket !== void 0) return;
		this.#filter = filter;
		this.#connect();
	}
	stop() {
		clearTimeout(this.#timer);
		clearInterval(this.#probe);
		const socket = this.#socket;
		this.#socket = void 0;
		socket?.close();
	}
	#connect() {
		this.stop();
		const query = new URLSearchParams(Object.entries(this.#filter).filter((field) => field[1] !== void 0));
		const url = new URL(`/v1/events?${query}`, location.href);
		url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
		const socket = new WebSocket(url);
		this.#socket = socket;
		socket.addEventListener("message", ({ data }) => {
			if (this.#socket === socket) this.#take(String(data));
		});
		socket.addEventListener("close", () => {
			if (this.#socket === socket) this.#lose();
		});
		this.#probe = setInterval(() => void this.#ask(socket), PROBE_EVERY_MS);
	}
	async #ask(socket) {
		if (!await fetch("/livez", { signal: AbortSignal.timeout(PROBE_EVERY_MS / 2) }).then(({ ok }) => ok, () => false) && this.#socket === socket) this.#lose();
	}
	#take(text) {
		const { event } = JSON.parse(text);
		if (event === "stop") this.#pauseMs = FIRST_PAUSE_MS;
		if (event !== "event") return;
		if (this.#state !== "live") {
			this.#pauseMs = FIRST_PAUSE_MS;
			this.#set("live");
		}
		this.#onHint();
	}
	#lose() {
		this.stop();
		this.#set("lost");
		this.#timer = setTimeout(() => this.#connect(), this.#pauseMs);
		this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2);
	}
	#set(state) {
		if (this.#state === state) return;
		this.#state = state;
		this.#onState(state);
	}
};

const SHORTEST_PAUSE_MS = 500;
const HINT_DELAY_MS = 100;
const hinted = /* @__PURE__ */ new Set();
const stateListeners = /* @__PURE__ */ new Set();
let streamState = "connecting";
const stream = new HintStream({
	onHint: () => {
		for (const listener of hinted) listener();
	},
	onState: (state) => {
		streamState = state;
		for (const listener of stateListeners) listener();
	}
});
function stopStream() {
	stream.stop();
}
function useStream() {
	const [state, setState] = d(streamState);
	A(() => {
		const listener = () => setState(streamState);
		stateListeners.add(listener);
		listener();
		return () => void stateListeners.delete(listener);
	}, []);
	return state;
}
function useLive(key, read, { everyMs, follow }) {
	const [shown, setShown] = d({
		key,
		data: void 0,
		error: void 0,
		atMs: void 0
	});
	const reader = T(read);
	reader.current = read;
	const reload = T(() => void 0);
	A(() => {
		const leaving = new AbortController();
		let timer;
		let isReading = false;
		let endedAtMs = 0;
		let isAsked = false;
		let last;
		const pauseMs = () => typeof everyMs === "number" ? everyMs : everyMs(last);
		const again = (delayMs) => {
			clearTimeout(timer);
			timer = setTimeout(() => void readOnce(), delayMs);
		};
		const readOnce = async () => {
			if (document.hidden || isReading) {
				isAsked = true;
				return;
			}
			isReading = true;
			isAsked = false;
			try {
				const data = await reader.current(leaving.signal);
				if (leaving.signal.aborted) return;
				last = data;
				setShown({
					key,
					data,
					error: void 0,
					atMs: serverNow()
				});
			} catch (error) {
				if (leaving.signal.aborted) return;
				const failure = error instanceof ApiError ? error : void 0;
				if (failure === void 0) throw error;
				setShown((before) => ({
					...before.key === key ? before : EMPTY,
					key,
					error: failure
				}));
			} finally {
				isReading = false;
				endedAtMs = performance.now();
				if (!leaving.signal.aborted) again(isAsked ? SHORTEST_PAUSE_MS : pauseMs());
			}
		};
		const hint = () => {
			if (isReading) {
				isAsked = true;
				return;
			}
			again(Math.max(HINT_DELAY_MS, SHORTEST_PAUSE_MS - (performance.now() - endedAtMs)));
		};
		const show = () => {
			if (!document.hidden && isAsked) again(0);
		};
		reload.current = () => again(0);
		hinted.add(hint);
		document.addEventListener("visibilitychange", show);
		stream.follow(follow ?? QUIET);
		readOnce();
		return () => {
			leaving.abort();
			clearTimeout(timer);
			hinted.delete(hint);
			document.removeEventListener("visibilitychange", show);
		};
	}, [key]);
	const own = shown.key === key ? shown : EMPTY;
	return {
		data: own.data,
		error: own.error,
		atMs: own.atMs,
		reload: () => reload.current()
	};
}
const EMPTY = {
	data: void 0,
	error: void 0,
	atMs: void 0
};
const QUIET = { kind: "office" };
const ageListeners = /* @__PURE__ */ new Set();
let ageTimer;
function hearAges(listener) {
	ageListeners.add(listener);
	ageTimer ??= setInterval(() => {
		if (document.hidden) return;
		const nowMs = serverNow();
		for (const each of ageListeners) each(nowMs);
	}, 1e3);
	return () => {
		ageListeners.delete(listener);
		if (ageListeners.size > 0) return;
		clearInterval(ageTimer);
		ageTimer = void 0;
	};
}
function useTimed(textOf) {
	const maker = T(textOf);
	maker.current = textOf;
	const [, setText] = d(() => textOf(serverNow()));
	A(() => hearAges((nowMs) => setText(maker.current(nowMs))), []);
	return textOf(serverNow());
}
function useNow() {
	const [nowMs, setNow] = d(serverNow);
	A(() => hearAges(setNow), []);
	return nowMs;
}

function showDuration(ms) {
	if (!Number.isFinite(ms)) return "–";
	const sign = ms < 0 ? "−" : "";
	const whole = Math.abs(ms);
	if (whole < 1e3) return `${sign}${Math.round(whole)} ms`;
	const seconds = Math.floor(whole / 1e3);
	const parts = [
		[Math.floor(seconds / 86400), "d"],
		[Math.floor(seconds / 3600) % 24, "h"],
		[Math.floor(seconds / 60) % 60, "min"],
		[seconds % 60, "s"]
	];
	const first = parts.findIndex(([value]) => value > 0);
	return sign + parts.slice(first, first + 2).filter(([value]) => value > 0).map(([value, unit]) => `${value} ${unit}`).join(" ");
}
function showCount(value) {
	if (value === null || value === void 0) return "–";
	return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, " ");
}
function showRate(perSecond) {
	if (perSecond === null || perSecond === void 0) return "–";
	const digits = perSecond === 0 || perSecond >= 10 ? 0 : 1;
	return `${perSecond > 0 && perSecond < .05 ? "< 0.1" : perSecond.toFixed(digits)}/s`;
}
function showShare(share) {
	if (share === null || share === void 0) return "–";
	return `${(share * 100).toFixed(share < .1 && share > 0 ? 1 : 0)} %`;
}
function showTime(iso, nowMs) {
	if (iso === null || iso === void 0) return "–";
	const at = new Date(iso);
	if (Number.isNaN(at.getTime())) return iso;
	const day = (date) => date.toISOString().slice(0, 10);
	const time = at.toISOString().slice(11, 19);
	return day(at) === day(new Date(nowMs)) ? `${time} UTC` : `${day(at)} ${time} UTC`;
}
function showAgo(iso, nowMs) {
	if (iso === null || iso === void 0) return "–";
	const atMs = Date.parse(iso);
	if (Number.isNaN(atMs)) return iso;
	const ms = nowMs - atMs;
	if (ms < -999) return `in ${showDuration(-ms)}`;
	return ms < 1e3 ? "now" : `${showDuration(ms)} ago`;
}
function showValue(value, maxLength = 2e4) {
	const text = typeof value === "string" ? value : JSON.stringify(value, null, 2) ?? "–";
	return text.length <= maxLength ? text : `${text.slice(0, maxLength)}… (${text.length} characters)`;
}
function showNumberOf(count, noun) {
	return `${showCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

const ACCESS_ORDER = [
	"read",
	"submit",
	"operate",
	"admin"
];
let session;
function keepRights(next) {
	session = next;
}
function may(access) {
	const own = session?.access;
	return own !== void 0 && own !== null && ACCESS_ORDER.indexOf(own) >= ACCESS_ORDER.indexOf(access);
}
const TONES = {
	completed: "good",
	idle: "good",
	leader: "good",
	answered: "good",
	open: "busy",
	undone: "wait",
	running: "busy",
	working: "busy",
	preparing: "busy",
	reporting: "busy",
	starting: "busy",
	failed: "bad",
	page: "bad",
	blocked: "bad",
	compensation_failed: "bad",
	died: "bad",
	silent: "bad",
	retrying: "wait",
	scheduled: "wait",
	waiting: "wait",
	pending: "wait",
	paused: "wait",
	ticket: "wait",
	draining: "wait",
	compensating: "wait",
	stray: "bad",
	human: "wait",
	abstained: "wait"
};
function Badge({ of: state }) {
	return k$1("span", { class: `badge ${TONES[state] ?? ""}` }, state.replaceAll("_", " "));
}
function Ago({ at }) {
	const text = useTimed((nowMs) => showAgo(at, nowMs));
	if (at === null || at === void 0) return k$1("span", {}, "–");
	return k$1("time", {
		dateTime: at,
		title: showTime(at, 0)
	}, text);
}
function Age({ atMs, moreMs = 0 }) {
	const text = useTimed((nowMs) => atMs === void 0 ? "not read yet" : `as of ${showDuration(Math.max(0, nowMs - atMs + (moreMs ?? 0)))} ago`);
	return k$1("span", { class: "age" }, text);
}
function Heading(props) {
	const { level = 1, title, atMs, moreMs = 0, children } = props;
	return k$1("header", { class: "heading" }, k$1(`h${level}`, level === 1 ? {
		tabIndex: -1,
		id: "title"
	} : {}, title), "atMs" in props ? k$1(Age, {
		atMs,
		moreMs
	}) : null, children);
}
function Failure({ error }) {
	if (error === void 0) return null;
	return k$1("p", {
		class: "failure",
		role: "alert"
	}, `${error.code}: ${error.message}`);
}
function Nothing({ children }) {
	return k$1("p", { class: "nothing" }, children);
}
function Facts({ of: pairs }) {
	const shown = pairs.filter(([, value]) => value !== null && value !== void 0 && value !== "");
	return k$1("dl", { class: "facts" }, shown.map(([name, value]) => k$1("div", { key: name }, k$1("dt", {}, name), k$1("dd", {}, value))));
}
function Text({ label, children }) {
	return k$1("pre", {
		tabIndex: 0,
		role: "region",
		"aria-label": label
	}, children);
}
function Command({ text }) {
	const [isCopied, setCopied] = d(false);
	const copy = () => {
		navigator.clipboard?.writeText(text).then(() => setCopied(true));
	};
	return k$1("li", { class: "command" }, k$1("code", {}, text), k$1("button", {
		type: "button",
		class: "small",
		onClick: copy
	}, isCopied ? "copied" : "copy"));
}
let ending;
let onEnding = () => void 0;
function tell(text, isBad = false) {
	ending = {
		text,
		isBad
	};
	onEnding();
}
function Endings() {
	const [shown, setShown] = d(void 0);
	A(() => {
		onEnding = () => setShown(ending);
		return () => {
			onEnding = () => void 0;
		};
	}, []);
	const close = () => setShown(void 0);
	return k$1("div", {
		class: "endings",
		role: "status"
	}, shown === void 0 ? null : k$1("p", { class: shown.isBad ? "bad" : "good" }, shown.text, k$1("button", {
		type: "button",
		class: "small",
		onClick: close,
		"aria-label": "close"
	}, "×")));
}
async function act(what, work) {
	try {
		await work();
		tell(`${what}: done`);
		return true;
	} catch (error) {
		if (!(error instanceof ApiError)) throw error;
		tell(`${what}: ${error.message}`, true);
		return false;
	}
}
function Action(props) {
	const { label, access, what, run, onDone, tone } = props;
	const [isBusy, setBusy] = d(false);
	if (!may(access)) return null;
	const start = async () => {
		setBusy(true);
		const isDone = await act(what, run);
		setBusy(false);
		if (isDone) onDone?.();
	};
	return k$1("button", {
		type: "button",
		class: `small ${tone ?? ""}`,
		disabled: isBusy,
		onClick: () => void start(),
		"aria-label": `${label}: ${what}`
	}, label);
}
function AskedAction(props) {
	const { question, ...action } = props;
	const [isOpen, setOpen] = d(false);
	if (!may(action.access)) return null;
	const close = () => setOpen(false);
	const done = () => {
		close();
		action.onDone?.();
	};
	return k$1("span", {}, k$1("button", {
		type: "button",
		class: `small ${action.tone ?? ""}`,
		onClick: () => setOpen(true),
		"aria-label": `${action.label}: ${action.what}`
	}, `${action.label}…`), isOpen ? k$1(Dialog, {
		title: action.what,
		onClose: close
	}, k$1("p", {}, question), k$1("p", { class: "buttons" }, k$1(Action, {
		...action,
		onDone: done
	}), k$1("button", {
		type: "button",
		class: "small",
		onClick: close
	}, "leave it"))) : null);
}
function Dialog(props) {
	const dialog = T(null);
	A(() => {
		const before = document.activeElement;
		dialog.current?.showModal();
		return () => before instanceof HTMLElement ? before.focus() : void 0;
	}, []);
	return k$1("dialog", {
		ref: dialog,
		onClose: props.onClose,
		"aria-label": props.title
	}, k$1("h2", {}, props.title), props.children);
}
function Choice(props) {
	const [choice, setChoice] = d(props.options[0] ?? "");
	if (!may(props.access)) return null;
	const choose = (event) => setChoice(event.currentTarget.value);
	return k$1("span", { class: "choice" }, k$1("select", {
		"aria-label": `${props.label} of ${props.what("").trim()}`,
		value: choice,
		onChange: choose
	}, props.options.map((option) => k$1("option", {
		key: option,
		value: option
	}, option))), k$1(Action, {
		label: props.label,
		access: props.access,
		what: props.what(choice),
		run: () => props.run(choice),
		...props.onDone === void 0 ? {} : { onDone: props.onDone }
	}));
}
function Go({ to, children }) {
	return k$1("a", { href: to }, children);
}

const ROW_HEIGHT = 40;
const SPARE_ROWS = 6;
function visibleRange(scrollTop, height, count) {
	const from = Math.max(0, Math.floor(scrollTop / 40) - 6);
	const to = Math.min(count, Math.ceil((scrollTop + height) / 40) + 6);
	return {
		from: Math.min(from, Math.max(0, count - 1)),
		to
	};
}

function Rows(props) {
	const { label, rows, columns, keyOf, linkOf, onEnd, onShown } = props;
	const box = T(null);
	const [view, setView] = d({
		top: 0,
		height: 600
	});
	const [active, setActive] = d(-1);
	const measure = () => {
		const { scrollTop = 0, clientHeight = 600 } = box.current ?? {};
		setView((before) => before.top === scrollTop && before.height === clientHeight ? before : {
			top: scrollTop,
			height: clientHeight
		});
	};
	A(() => {
		const watcher = new ResizeObserver(measure);
		if (box.current !== null) watcher.observe(box.current);
		return () => watcher.disconnect();
	}, []);
	const { from, to } = visibleRange(view.top, view.height, rows.length);
	const shown = rows.slice(from, to);
	A(() => {
		if (to >= rows.length - 6) onEnd?.();
		onShown?.(shown);
	}, [
		from,
		to,
		rows
	]);
	const move = (by) => {
		const next = Math.max(0, Math.min(rows.length - 1, active + by));
		setActive(next);
		const element = box.current;
		if (element === null) return;
		const top = next * 40;
		if (top < element.scrollTop) element.scrollTop = top;
		else if (top + 40 > element.scrollTop + element.clientHeight - 40) element.scrollTop = top + 2 * 40 - element.clientHeight;
		requestAnimationFrame(() => {
			element.querySelector(`[data-row="${next}"] :is(a, button, select)`)?.focus();
		});
	};
	const press = (event) => {
		if (event.target instanceof HTMLSelectElement || event.ctrlKey || event.metaKey || event.altKey) return;
		const page = Math.max(1, Math.floor(view.height / 40) - 2);
		const by = {
			j: 1,
			ArrowDown: 1,
			k: -1,
			ArrowUp: -1,
			PageDown: page,
			PageUp: -page,
			Home: -rows.length,
			End: rows.length
		}[event.key];
		if (by === void 0) return;
		event.preventDefault();
		event.stopPropagation();
		move(by);
	};
	const template = (row, at) => columns.map(({ title, cell, from: least, width }, place) => k$1("div", {
		key: title,
		role: row === void 0 ? "columnheader" : "cell",
		class: `cell w${width} ${least ?? ""}`
	}, row === void 0 ? title : place === 0 && linkOf !== void 0 ? k$1("a", {
		href: linkOf(row),
		tabIndex: at === Math.max(0, active) ? 0 : -1
	}, cell(row)) : cell(row)));
	return k$1("div", {
		class: "rows",
		role: "table",
		"aria-label": label,
		"aria-rowcount": rows.length + 1,
		ref: box,
		tabIndex: 0,
		onScroll: measure,
		onKeyDown: press
	}, k$1("div", {
		class: "row head",
		role: "row",
		"aria-rowindex": 1
	}, template(void 0, -1)), k$1("div", {
		class: "space",
		role: "rowgroup",
		style: { height: `${rows.length * 40}px` }
	}, shown.map((row, index) => {
		const at = from + index;
		return k$1("div", {
			key: keyOf(row),
			class: at === active ? "row active" : "row",
			role: "row",
			"aria-rowindex": at + 2,
			"data-row": at,
			style: { top: `${at * 40}px` },
			onFocusCapture: () => setActive(at)
		}, template(row, at));
	})));
}

function selectAgents(agents, search) {
	const words = search.toLowerCase().split(/\s+/).filter((word) => word !== "");
	const textOf = ({ id, role, capabilities, state, waiting, host, model }) => [
		id,
		role,
		...capabilities,
		state,
		waiting ?? "",
		host,
		model ?? ""
	].join(" ").toLowerCase();
	const rank = ({ state, waiting }) => state === "failed" ? 0 : waiting !== null ? 1 : state === "paused" ? 2 : 3;
	return agents.filter((agent) => words.every((word) => textOf(agent).includes(word))).sort((a, b) => rank(a) - rank(b) || (a.waiting ?? "").localeCompare(b.waiting ?? "") || (a.id < b.id ? -1 : 1));
}

const EVERY_MS$8 = 2e3;
function AgentsView({ search, go }) {
	const { data, error, atMs, reload } = useLive("agents", (signal) => call({
		path: "/v1/agents",
		query: { kept: true },
		signal
	}), {
		everyMs: EVERY_MS$8,
		follow: { kind: "agent" }
	});
	const all = data?.agents ?? [];
	const shown = w(() => selectAgents(data?.agents ?? [], search), [data, search]);
	const byWait = Object.entries(Object.groupBy(all, (agent) => agent.waiting ?? agent.state));
	return k$1("section", {}, k$1(Heading, {
		title: "Agents",
		atMs,
		moreMs: data?.ageMs ?? 0
	}), k$1("form", {
		class: "search",
		role: "search",
		onSubmit: (event) => event.preventDefault()
	}, k$1("label", { for: "search" }, "Filter"), k$1("input", {
		id: "search",
		type: "search",
		value: search,
		placeholder: "id, role, capability, state, host",
		onInput: (event) => go(event.currentTarget.value)
	}), byWait.map(([word, agents = []]) => k$1("a", {
		key: word,
		class: "chip",
		href: linkTo("agents", "", { q: word })
	}, `${showCount(agents.length)} ${word.replaceAll("_", " ")}`)), search === "" ? null : k$1("a", {
		class: "chip",
		href: linkTo("agents")
	}, "all")), k$1(Failure, { error }), k$1("p", { class: "scope" }, data === void 0 ? "Reading…" : `${showCount(shown.length)} of ${showCount(all.length)} living agents.`), data !== void 0 && shown.length === 0 ? k$1(Nothing, {}, all.length === 0 ? "No agent lives." : "No agent fits the filter.") : k$1(Rows, {
		label: "Agents",
		rows: shown,
		columns: columnsOf$3(reload),
		keyOf: ({ id }) => id,
		linkOf: ({ id }) => linkTo("tasks", "", { q: `agent:${id}` })
	}));
}
const steer = (agent, verb) => call({
	method: "POST",
	path: pathOf("v1", "agents", agent, verb),
	body: {}
});
function columnsOf$3(reload) {
	return [
		{
			title: "agent",
			width: 3,
			cell: ({ id }) => id
		},
		{
			title: "capabilities",
			width: 3,
			from: "desktop",
			cell: ({ capabilities }) => capabilities.join(", ")
		},
		{
			title: "state",
			width: 2,
			cell: ({ state }) => k$1(Badge, { of: state })
		},
		{
			title: "waits for",
			width: 2,
			cell: ({ waiting }) => waiting?.replaceAll("_", " ") ?? "–"
		},
		{
			title: "doing",
			width: 2,
			from: "desktop",
			cell: ({ doing }) => doing ?? "–"
		},
		{
			title: "slots",
			width: 1,
			from: "tablet",
			cell: ({ slots }) => `${slots.used} of ${slots.total}`
		},
		{
			title: "host",
			width: 2,
			from: "tablet",
			cell: ({ host }) => host
		},
		{
			title: "since",
			width: 2,
			from: "desktop",
			cell: ({ since }) => k$1(Ago, { at: since })
		},
		{
			title: "actions",
			width: 3,
			cell: ({ id, state }) => k$1("span", { class: "buttons" }, k$1(Action, {
				...state === "paused" ? {
					label: "resume",
					what: `resume ${id}`,
					run: () => steer(id, "resume")
				} : {
					label: "pause",
					what: `pause ${id}`,
					run: () => steer(id, "pause")
				},
				access: "operate",
				onDone: reload
			}), k$1(AskedAction, {
				label: "drain",
				access: "operate",
				what: `drain ${id}`,
				onDone: reload,
				run: () => steer(id, "drain"),
				question: "The agent finishes its tasks, takes no new ones, and stops."
			}))
		}
	];
}

const EVERY_MS$7 = 3e3;
const COLUMNS$1 = [
	{
		title: "ballot",
		width: 4,
		cell: ({ id }) => id
	},
	{
		title: "capability",
		width: 2,
		from: "tablet",
		cell: ({ capability }) => capability
	},
	{
		title: "state",
		width: 2,
		cell: ({ state }) => k$1(Badge, { of: state })
	},
	{
		title: "strategy",
		width: 2,
		from: "tablet",
		cell: ({ strategy }) => strategy
	},
	{
		title: "seats",
		width: 2,
		cell: ({ answered, seats }) => `${answered} of ${seats}`
	},
	{
		title: "agreement",
		width: 2,
		from: "desktop",
		cell: ({ agreement }) => showShare(agreement)
	},
	{
		title: "opened",
		width: 2,
		from: "desktop",
		cell: ({ openedAt }) => k$1(Ago, { at: openedAt })
	}
];
function BallotsView() {
	const { data, error, atMs } = useLive("ballots", (signal) => call({
		path: "/v1/ballots",
		query: { stale: true },
		signal
	}), {
		everyMs: EVERY_MS$7,
		follow: { kind: "ballot" }
	});
	return k$1("section", {}, k$1(Heading, {
		title: "Ballots",
		atMs,
		moreMs: data?.ageMs ?? 0
	}), k$1(Failure, { error }), k$1("p", { class: "scope" }, data === void 0 ? "Reading…" : `${showNumberOf(data.ballots.length, "ballot")}, open and ended, as a coordinator keeps them.`), data !== void 0 && data.ballots.length === 0 ? k$1(Nothing, {}, "There is no ballot.") : k$1(Rows, {
		label: "Ballots",
		rows: data?.ballots ?? [],
		columns: COLUMNS$1,
		keyOf: ({ id }) => id,
		linkOf: ({ id }) => linkTo("ballot", id)
	}));
}
function BallotView({ id }) {
	const { data, error, atMs, reload } = useLive(`ballot ${id}`, (signal) => call({
		path: pathOf("v1", "ballots", id),
		signal
	}), {
		everyMs: EVERY_MS$7,
		follow: {
			kind: "ballot",
			id
		}
	});
	return k$1("section", {}, k$1(Heading, {
		title: `Ballot ${id}`,
		atMs
	}), k$1(Failure, { error }), data === void 0 ? null : k$1(Page, {
		ballot: data,
		reload
	}));
}
function Page({ ballot, reload }) {
	const { capability, strategy, topology, agreement, openedAt, endedAt, rounds, candidates, result } = ballot;
	return k$1("div", {}, k$1("p", { class: "lead" }, k$1(Badge, { of: ballot.state }), k$1(Go, { to: linkTo("task", ballot.id) }, "its task")), k$1(Facts, { of: [
		["capability", capability],
		["strategy", `${strategy}, ${topology}`],
		["rounds", showCount(rounds)],
		["agreement", agreement === null ? null : showShare(agreement)],
		["opened", k$1(Ago, { at: openedAt })],
		["ended", endedAt === null ? null : k$1(Ago, { at: endedAt })]
	] }), k$1("h2", {}, "Seats"), k$1("ul", { class: "cards" }, ballot.votes.map(({ seat, agent, model, state, value, reason }) => k$1("li", { key: `${seat} ${agent}` }, k$1("strong", {}, `seat ${seat}`), " ", k$1(Badge, { of: state }), k$1("p", {}, agent, model === void 0 ? null : ` (${model})`), value === void 0 ? null : k$1(Text, {
		label: `vote of seat ${seat}`,
		children: showValue(value, 2e3)
	}), reason === void 0 ? null : k$1("p", {}, reason)))), candidates.length === 0 ? null : k$1("div", {}, k$1("h2", {}, "A person decides"), k$1("ul", { class: "cards" }, candidates.map(({ candidate, value }) => k$1("li", { key: candidate }, k$1(Text, {
		label: `candidate ${candidate}`,
		children: showValue(value, 2e3)
	}), k$1(AskedAction, {
		label: "choose",
		access: "operate",
		what: `choose candidate ${candidate} of ${ballot.id}`,
		run: () => call({
			method: "POST",
			path: pathOf("v1", "ballots", ballot.id, "decide"),
			body: { choice: candidate }
		}),
		onDone: reload,
		question: "The ballot ends with this value as its verdict."
	}))))), k$1(Gain, { ballot }), result?.output === void 0 ? null : k$1("div", {}, k$1("h2", {}, "Verdict"), k$1(Text, {
		label: "verdict",
		children: showValue(result.output)
	})));
}
function Gain({ ballot }) {
	const { single, effectiveVoters, cases } = ballot.statistics;
	const { judged = null } = single ?? {};
	const ratio = (value) => value === null ? null : `${value.toFixed(1)} times one agent`;
	return k$1("div", {}, k$1("h2", {}, "Gain over one agent"), k$1(Facts, { of: [
		["ballots of this kind", single === null ? "none has ended" : showCount(single.ballots)],
		["decided otherwise than one agent", single === null ? null : `${showCount(single.differed)} of ${showCount(single.compared)}`],
		["known right answers", showCount(judged?.cases ?? cases)],
		["right with a ballot", judged === null ? null : showShare(judged.ballotAccuracy)],
		["right with one agent", judged === null ? null : showShare(judged.singleAccuracy)],
		["gain", judged === null ? "unknown until right answers are recorded" : `${showShare(judged.gain.rate)} (${showShare(judged.gain.low)} to ${showShare(judged.gain.high)})`],
		["tokens", ratio(single?.tokenRatio ?? null)],
		["cost", ratio(single?.costRatio ?? null)],
		["independent voters", effectiveVoters === null ? null : effectiveVoters.toFixed(1)],
		["finding", single?.finding ?? null]
	] }));
}

const EVERY_MS$6 = 5e3;
const RATES = [
	1,
	5,
	20,
	100,
	1e3
];
function DeadView({ search, go }) {
	const { data, error, atMs, reload } = useLive("dead", (signal) => call({
		path: "/v1/dead/groups",
		signal
	}), {
		everyMs: EVERY_MS$6,
		follow: { kind: "task" }
	});
	const [bulk, setBulk] = d(void 0);
	const wanted = search.toLowerCase();
	const groups = (data?.groups ?? []).filter(({ capability, code, fingerprint }) => `${capability} ${code} ${fingerprint}`.toLowerCase().includes(wanted));
	return k$1("section", {}, k$1(Heading, {
		title: "Dead letters",
		atMs
	}), k$1("form", {
		class: "search",
		role: "search",
		onSubmit: (event) => event.preventDefault()
	}, k$1("label", { for: "search" }, "Filter"), k$1("input", {
		id: "search",
		type: "search",
		value: search,
		placeholder: "capability, code or words of the message",
		onInput: (event) => go(event.currentTarget.value)
	})), k$1(Failure, { error }), data === void 0 ? k$1("p", { class: "scope" }, "Reading…") : k$1("p", { class: "scope" }, scopeOf$2(data, groups.length)), data !== void 0 && groups.length === 0 ? k$1(Nothing, {}, data.groups.length === 0 ? "There is no dead letter." : "No group fits the filter.") : k$1(Rows, {
		label: "Groups of dead letters",
		rows: groups,
		columns: columnsOf$2(setBulk),
		keyOf: ({ capability, code, fingerprint }) => `${capability} ${code} ${fingerprint}`,
		linkOf: ({ sample }) => linkTo("task", sample.taskId)
	}), bulk === void 0 ? null : k$1(BulkDialog, {
		...bulk,
		onClose: () => setBulk(void 0),
		reload
	}));
}
function scopeOf$2({ seen, stored, groups, more }, shown) {
	const all = seen >= stored ? `All ${showNumberOf(stored, "letter")}` : `The newest ${showCount(seen)} of ${showNumberOf(stored, "letter")}`;
	const hidden = shown < groups.length ? `, ${showCount(shown)} of them fit the filter` : "";
	return `${all} in ${showNumberOf(groups.length, "group")}${hidden}.${more > 0 ? ` ${showNumberOf(more, "further group")} are not shown.` : ""}`;
}
function columnsOf$2(begin) {
	return [
		{
			title: "newest task",
			width: 3,
			cell: ({ sample }) => sample.taskId
		},
		{
			title: "capability",
			width: 2,
			from: "tablet",
			cell: ({ capability }) => capability
		},
		{
			title: "code",
			width: 2,
			cell: ({ code }) => code
		},
		{
			title: "letters",
			width: 1,
			cell: ({ count }) => showCount(count)
		},
		{
			title: "message",
			width: 4,
			from: "tablet",
			cell: ({ sample }) => sample.message
		},
		{
			title: "newest",
			width: 2,
			from: "desktop",
			cell: ({ newest }) => k$1(Ago, { at: newest })
		},
		{
			title: "oldest",
			width: 2,
			from: "desktop",
			cell: ({ oldest }) => k$1(Ago, { at: oldest })
		},
		{
			title: "actions",
			width: 3,
			cell: (group) => k$1(GroupActions, {
				group,
				begin
			})
		}
	];
}
function GroupActions({ group, begin }) {
	if (!may("operate")) return null;
	const name = `${group.capability} ${group.code}`;
	const button = (verb, word, tone) => k$1("button", {
		type: "button",
		class: `small ${tone}`,
		onClick: () => begin({
			group,
			verb
		}),
		"aria-label": `${word} the group ${name}`
	}, `${word}…`);
	return k$1("span", { class: "buttons" }, button("replay", "replay", ""), button("purge", "remove", "danger"));
}
function BulkDialog(props) {
	const { group, verb, onClose, reload } = props;
	const { capability, code, fingerprint } = group;
	const [isNarrow, setNarrow] = d(true);
	const [rate, setRate] = d(20);
	const [phase, setPhase] = d({ at: "ask" });
	const stopping = T(void 0);
	const filter = {
		capability,
		code,
		...isNarrow ? { fingerprint } : {}
	};
	const word = verb === "replay" ? "replay" : "remove";
	const path = `/v1/dead/${verb}`;
	const fail = (error) => {
		if (!(error instanceof ApiError)) throw error;
		setPhase({
			at: "end",
			text: `${error.code}: ${error.message}`
		});
	};
	const preview = async () => {
		try {
			const answer = await call({
				method: "POST",
				path,
				body: {
					...filter,
					dryRun: true
				}
			});
			setPhase({
				at: "preview",
				report: "report" in answer ? answer.report : answer
			});
		} catch (error) {
			fail(error);
		}
	};
	const start = async () => {
		stopping.current = new AbortController();
		setPhase({
			at: "work",
			done: 0,
			selected: 0
		});
		let done = 0;
		try {
			const answer = await callBulk({
				method: "POST",
				path,
				body: {
					...filter,
					yes: true,
					rate
				},
				signal: stopping.current.signal
			}, (progress) => {
				done = progress.done;
				setPhase({
					at: "work",
					...progress
				});
			});
			const report = "report" in answer ? answer.report : answer;
			const failures = report.failures.map(({ id, code: failed }) => `${id}: ${failed}`).join(", ");
			setPhase({
				at: "end",
				text: `${showCount(report.done)} done, ${showCount(report.skipped)} skipped, ${showCount(report.failed)} failed, ${showCount(report.left)} left.${failures === "" ? "" : ` ${failures}`}`
			});
			tell(`${word} ${capability} ${code}: ${showCount(report.done)} done`);
		} catch (error) {
			if (stopping.current?.signal.aborted === true) setPhase({
				at: "end",
				text: `Stopped after ${showCount(done)}; the present change is still made.`
			});
			else fail(error);
		}
		reload();
	};
	const close = () => {
		stopping.current?.abort();
		onClose();
	};
	const chooseScope = (event) => {
		setNarrow(event.currentTarget.value === "group");
		setPhase({ at: "ask" });
	};
	const chooseRate = (event) => setRate(Number(event.currentTarget.value));
	return k$1(Dialog, {
		title: `${word} dead letters of ${capability}`,
		onClose: close
	}, k$1("p", {}, k$1("label", { for: "bulk-scope" }, "Scope "), k$1("select", {
		id: "bulk-scope",
		value: isNarrow ? "group" : "code",
		onChange: chooseScope,
		disabled: phase.at === "work"
	}, k$1("option", { value: "group" }, "this group: same capability, code and message"), k$1("option", { value: "code" }, `every letter of ${capability} with ${code}`))), k$1("p", {}, k$1("label", { for: "bulk-rate" }, "Rate "), k$1("select", {
		id: "bulk-rate",
		value: String(rate),
		onChange: chooseRate,
		disabled: phase.at === "work"
	}, RATES.map((each) => k$1("option", {
		key: each,
		value: String(each)
	}, `${each} a second`)))), k$1("p", { role: "status" }, textOf(phase, word, isNarrow)), phase.at === "work" && phase.selected > 0 ? k$1("progress", {
		max: phase.selected,
		value: phase.done,
		"aria-label": "progress"
	}) : null, k$1("p", { class: "buttons" }, phase.at === "ask" ? k$1("button", {
		type: "button",
		onClick: () => void preview()
	}, "preview") : null, phase.at === "preview" && phase.report.selected > 0 ? k$1("button", {
		type: "button",
		class: verb === "purge" ? "danger" : "",
		onClick: () => void start()
	}, `${word} ${showNumberOf(phase.report.selected, "letter")}`) : null, phase.at === "work" ? k$1("button", {
		type: "button",
		onClick: () => stopping.current?.abort()
	}, "stop") : null, k$1("button", {
		type: "button",
		class: "small",
		onClick: close
	}, "close")));
}
function textOf(phase, word, isNarrow) {
	const scope = isNarrow ? "this group" : "this capability with this code";
	if (phase.at === "ask") return `Nothing is changed before a preview. The change covers all stored letters of ${scope}, not only those in sight.`;
	if (phase.at === "work") return `${showCount(phase.done)} of ${showCount(phase.selected)} done…`;
	if (phase.at === "end") return phase.text;
	const { selected, unseen, unknown, ids } = phase.report;
	const rest = unseen + unknown === 0 ? "" : ` ${showCount(unseen)} were not looked at, ${showCount(unknown)} could not be judged.`;
	const sample = ids.length === 0 ? "" : ` The first: ${ids.slice(0, 3).join(", ")}.`;
	return `${showNumberOf(selected, "letter")} of ${scope} to ${word}.${sample}${rest}`;
}

const EVERY_MS$5 = 5e3;
const AUDIT_EVERY_MS = 3e4;
const MOST_ENTRIES = 200;
function OfficeView() {
	const { data, error, atMs, reload } = useLive("office", readOffice, {
		everyMs: EVERY_MS$5,
		follow: { kind: "office" }
	});
	return k$1("section", {}, k$1(Heading, {
		title: "Office",
		atMs
	}), k$1(Failure, { error }), data === void 0 ? k$1("p", { class: "scope" }, "Asking the office for a proof…") : k$1("div", {}, data.leader === null ? k$1("p", { class: "failure" }, "No coordinator proves that it holds the office.") : null, k$1(Facts, { of: [
		["leader", data.leader ?? "none"],
		["term", data.term === null ? null : showCount(data.term)],
		["in office since", data.since === null ? null : k$1(Ago, { at: data.since })],
		["end of the control log", data.logSeq === null ? null : showCount(data.logSeq)]
	] }), k$1(Members, {
		office: data,
		reload
	})), k$1(AuditLog, {}));
}
async function readOffice(signal) {
	const answer = await fetch("/v1/office", {
		signal,
		headers: { Accept: "application/json" }
	}).catch(() => null);
	const body = await answer?.json().catch(() => null);
	if (body !== null && body !== void 0 && "members" in body) return body;
	const { code = "unavailable", message = "the API does not answer" } = body?.error ?? {};
	throw new ApiError({
		status: answer?.status ?? 0,
		code,
		message
	});
}
function Members({ office, reload }) {
	if (office.members.length === 0) return k$1(Nothing, {}, "No coordinator answers.");
	return k$1("ul", { class: "cards" }, office.members.map(({ id, role, host, pid, lag, appliedSeq }) => k$1("li", { key: id }, k$1("strong", {}, id), " ", k$1(Badge, { of: role }), k$1("p", {}, host === null ? "does not answer" : `${host}, process ${pid}`), k$1("p", {}, lag === null ? "its place in the log is unknown" : `${showNumberOf(lag, "entry").replace("entrys", "entries")} behind, at ${showCount(appliedSeq)}`), role === "leader" || role === "silent" ? null : k$1(AskedAction, {
		label: "hand over",
		access: "operate",
		what: `hand the office over to ${id}`,
		onDone: reload,
		run: () => call({
			method: "POST",
			path: "/v1/office/transfer",
			body: { to: id }
		}),
		question: `The leader passes the office to ${id}. Ballots, locks and routes wait for about a second.`
	}))));
}
const AUDIT_COLUMNS = [
	{
		title: "time",
		width: 2,
		cell: ({ at }) => k$1(Ago, { at })
	},
	{
		title: "kind",
		width: 2,
		cell: ({ kind }) => kind
	},
	{
		title: "writer",
		width: 2,
		from: "desktop",
		cell: ({ writer }) => writer
	},
	{
		title: "facts",
		width: 6,
		cell: ({ facts }) => showValue(facts, 400).replace(/\s+/g, " ")
	}
];
function AuditLog() {
	const { data, error, atMs } = useLive("audit", (signal) => call({
		path: "/v1/audit",
		query: { limit: MOST_ENTRIES },
		signal
	}), {
		everyMs: AUDIT_EVERY_MS,
		follow: { kind: "office" }
	});
	const entries = (data?.entries ?? []).toReversed();
	return k$1("div", {}, k$1(Heading, {
		level: 2,
		title: "Audit log",
		atMs
	}), k$1(Failure, { error }), data === void 0 ? k$1("p", { class: "scope" }, "Reading…") : k$1("p", { class: "scope" }, `The newest ${showCount(entries.length)} entries, at most ${MOST_ENTRIES}.`), data !== void 0 && entries.length === 0 ? k$1(Nothing, {}, "The audit log has no entry.") : k$1(Rows, {
		label: "Audit log",
		rows: entries,
		columns: AUDIT_COLUMNS,
		keyOf: ({ streamSeq }) => String(streamSeq)
	}));
}

const KEPT_MS = 3e4;
function addMoment(moments, next) {
	if (moments.at(-1)?.atMs === next.atMs) return [...moments];
	return [...moments.filter(({ atMs }) => next.atMs - atMs <= 3e4 && atMs < next.atMs), next];
}
function ratesOf(moments) {
	const span = spanOf(moments);
	if (span === null) return null;
	const { first, last, seconds } = span;
	const rate = (field) => Math.max(0, last[field] - first[field]) / seconds;
	return {
		arriving: rate("arrived"),
		ending: rate("ended"),
		dead: rate("dead"),
		overMs: seconds * 1e3
	};
}
function growthOf(moments, capability) {
	const span = spanOf(moments);
	if (span === null) return null;
	const waiting = ({ waiting: counts }) => capability === void 0 ? Object.values(counts).reduce((sum, count) => sum + count, 0) : counts[capability] ?? 0;
	return (waiting(span.last) - waiting(span.first)) / span.seconds;
}
function backlogMs(moments, capability) {
	const growth = growthOf(moments, capability);
	const counts = moments.at(-1)?.waiting ?? {};
	const left = capability === void 0 ? Object.values(counts).reduce((sum, count) => sum + count, 0) : counts[capability] ?? 0;
	return left === 0 || growth === null || growth >= 0 ? null : left / -growth * 1e3;
}
function spanOf(moments) {
	const first = moments[0];
	const last = moments.at(-1);
	if (first === void 0 || last === void 0) return null;
	const seconds = (last.atMs - first.atMs) / 1e3;
	return seconds < 1 ? null : {
		first,
		last,
		seconds
	};
}

const EVERY_MS$4 = 1e3;
function useOverview() {
	const moments = T([]);
	return {
		...useLive("overview", async (signal) => {
			const overview = await call({
				path: "/v1/overview",
				signal
			});
			const { counts, capabilities } = overview;
			if (counts !== null && capabilities !== null) {
				const waiting = Object.fromEntries(capabilities.map((each) => [each.capability, each.waiting]));
				moments.current = addMoment(moments.current, {
					atMs: Date.parse(overview.at),
					...counts,
					waiting
				});
			}
			return overview;
		}, { everyMs: EVERY_MS$4 }),
		moments: moments.current
	};
}
const EFFECTS = {
	late: "work is late",
	failed: "work has failed",
	blind: "problems may be hidden"
};
function ProblemsView() {
	const { data, error, atMs, moments } = useOverview();
	const problems = data?.problems ?? [];
	const title = data === void 0 ? "What is wrong now?" : problems.length === 0 ? "Nothing is wrong now" : `${showNumberOf(problems.length, "problem")} now`;
	return k$1("section", {}, k$1(Heading, {
		title,
		atMs
	}), k$1(Failure, { error }), data !== void 0 && problems.length === 0 && data.unknown.length > 0 ? k$1(Nothing, {}, "No problem is known, but parts of the swarm could not be read:") : null, data?.unknown.map(({ part, reason }) => k$1("p", {
		key: part,
		class: "failure"
	}, `${part} is unknown: ${reason}`)), problems.map((problem) => k$1(ProblemCard, {
		key: `${problem.name} ${problem.hit.capabilities}`,
		problem
	})), data === void 0 ? null : k$1(Figures, {
		overview: data,
		moments
	}));
}
function ProblemCard({ problem }) {
	const { name, severity, effect, summary, since, hit, cause, runbook, commands } = problem;
	return k$1("article", {
		class: `problem ${severity}`,
		"aria-label": name
	}, k$1("h2", {}, k$1(Badge, { of: severity }), " ", name, " ", k$1("small", {}, EFFECTS[effect] ?? effect)), k$1("p", {}, summary, ". Since ", k$1(Ago, { at: since }), "."), k$1("p", { class: "cause" }, cause), k$1("p", {}, hit.tasks === null ? null : `${showNumberOf(hit.tasks, "task")} hit. `, hit.oldest === null ? null : k$1("span", {}, "The oldest is from ", k$1(Ago, { at: hit.oldest }), ". "), hit.capabilities.map((capability) => k$1("span", {
		key: capability,
		class: "chip"
	}, k$1(Go, { to: linkTo("tasks", "", { q: `capability:${capability}` }) }, capability)))), k$1("ul", {
		class: "commands",
		"aria-label": "commands that help"
	}, [...commands.map((text) => k$1(Command, {
		key: text,
		text
	}))]), k$1("p", { class: "runbook" }, "Runbook: ", k$1("code", {}, runbook)));
}
function Figures({ overview, moments }) {
	const { agents, capabilities, office, delayed, streams, ages } = overview;
	const rates = ratesOf(moments);
	const waiting = capabilities?.reduce((sum, each) => sum + each.waiting, 0);
	const gone = backlogMs(moments);
	const growth = growthOf(moments);
	const trend = gone !== null ? `gone in ${showDuration(gone)}` : growth !== null && growth > .05 ? `grows by ${showRate(growth)}` : "steady";
	const fullest = streams?.[0];
	const tiles = [
		[
			"waiting",
			showCount(waiting),
			trend,
			"queues",
			linkTo("queues")
		],
		[
			"arriving",
			showRate(rates?.arriving),
			"tasks handed in",
			"streams"
		],
		[
			"finishing",
			showRate(rates?.ending),
			"results stored",
			"streams"
		],
		[
			"failing for good",
			showRate(rates?.dead),
			"dead letters",
			"streams",
			linkTo("dead")
		],
		[
			"delayed",
			showCount(delayed),
			"scheduled and retrying",
			"streams",
			linkTo("stuck")
		],
		[
			"slots in use",
			agents === null ? "–" : `${showCount(agents.slots.used)} of ${showCount(agents.slots.total)}`,
			agents === null ? "" : wordsOf(agents.states),
			...["agents", linkTo("agents")]
		],
		[
			"agents wait for",
			agents === null ? "–" : wordsOf(agents.waits) || "nothing",
			"by reason",
			...["agents", linkTo("agents")]
		],
		[
			"office",
			office === null ? "–" : office.leader ?? "vacant",
			office === null ? "" : `${showNumberOf(office.coordinators, "coordinator")}, lag ${office.lag}`,
			...["office", linkTo("office")]
		],
		[
			"fullest stream",
			fullest === void 0 ? "–" : showShare(fullest.share),
			fullest?.stream ?? "no stream has a limit",
			"streams"
		]
	];
	return k$1("div", { class: "tiles" }, tiles.map(([name, figure, about, part, link]) => k$1("div", {
		key: name,
		class: "tile"
	}, k$1("h2", {}, link === void 0 ? name : k$1(Go, { to: link }, name)), k$1("p", { class: "figure" }, figure), k$1("p", {}, about), k$1("p", { class: "age" }, ageOf(ages[part])))));
}
function ageOf(ageMs) {
	return ageMs === null || ageMs === void 0 ? "not read yet" : `read ${showDuration(ageMs)} before`;
}
function wordsOf(counts) {
	return Object.entries(counts).sort(([, a], [, b]) => b - a).map(([name, count]) => `${count} ${name.replaceAll("_", " ")}`).join(", ");
}

function QueuesView() {
	const { data, error, atMs, moments, reload } = useOverview();
	const queues = data?.capabilities ?? null;
	const rates = ratesOf(moments);
	return k$1("section", {}, k$1(Heading, {
		title: "Queues",
		atMs,
		moreMs: data?.ages.queues ?? 0
	}), k$1(Failure, { error }), k$1("p", {}, `All capabilities: ${showRate(rates?.arriving)} arriving, ${showRate(rates?.ending)} finishing, ${showRate(rates?.dead)} failing for good`, rates === null ? ", after the first seconds." : ` over the last ${showDuration(rates.overMs)}.`), queues === null ? k$1(Nothing, {}, data === void 0 ? "Reading the queues…" : "The queues are unknown now.") : queues.length === 0 ? k$1(Nothing, {}, "No agent has offered a capability yet, so there is no queue.") : k$1(Rows, {
		label: "Queues",
		rows: queues,
		columns: columnsOf$1(moments, reload),
		keyOf: ({ capability }) => capability,
		linkOf: ({ capability }) => linkTo("tasks", "", { q: `capability:${capability}` })
	}));
}
function columnsOf$1(moments, reload) {
	return [
		{
			title: "capability",
			width: 3,
			cell: ({ capability }) => capability
		},
		{
			title: "waiting",
			width: 1,
			cell: ({ waiting }) => showCount(waiting)
		},
		{
			title: "running",
			width: 1,
			from: "tablet",
			cell: ({ running }) => showCount(running)
		},
		{
			title: "oldest",
			width: 2,
			cell: ({ oldest }) => k$1(Ago, { at: oldest })
		},
		{
			title: "change",
			width: 1,
			from: "tablet",
			cell: ({ capability }) => showGrowth(moments, capability)
		},
		{
			title: "gone in",
			width: 2,
			cell: ({ capability }) => showEnd(moments, capability)
		},
		{
			title: "agents",
			width: 1,
			from: "desktop",
			cell: ({ agents }) => showCount(agents)
		},
		{
			title: "state",
			width: 3,
			cell: ({ capability, isPaused }) => k$1("span", { class: "buttons" }, isPaused ? k$1(Badge, { of: "paused" }) : null, isPaused ? k$1(Action, {
				label: "resume",
				access: "operate",
				what: `resume ${capability}`,
				onDone: reload,
				run: () => change(capability, "resume")
			}) : k$1(AskedAction, {
				label: "pause",
				access: "operate",
				what: `pause ${capability}`,
				onDone: reload,
				run: () => change(capability, "pause"),
				question: `All tasks of ${capability} then wait, in the whole swarm, until it is resumed. Running tasks go on.`
			}))
		}
	];
}
const change = (capability, verb) => call({
	method: "POST",
	path: pathOf("v1", "capabilities", capability, verb),
	body: {}
});
function showGrowth(moments, capability) {
	const growth = growthOf(moments, capability);
	if (growth === null) return "–";
	return `${growth > 0 ? "+" : ""}${growth.toFixed(1)}/s`;
}
function showEnd(moments, capability) {
	const ms = backlogMs(moments, capability);
	if (ms !== null) return showDuration(ms);
	return (moments.at(-1)?.waiting[capability] ?? 0) === 0 ? "–" : "not falling";
}

const PRIORITIES = [
	"urgent",
	"high",
	"normal",
	"low"
];
const WAITING = [
	"pending",
	"scheduled",
	"retrying"
];
const ENDED = [
	"completed",
	"failed",
	"cancelled"
];
const post = (task, verb, body = {}) => call({
	method: "POST",
	path: pathOf("v1", "tasks", task, verb),
	body
});
function TaskActions({ task, onDone }) {
	const { taskId, state, waiting } = task;
	const what = (verb) => `${verb} ${taskId}`;
	return k$1("span", { class: "buttons" }, state === "scheduled" || state === "retrying" ? k$1(Action, {
		label: "run now",
		access: "operate",
		what: what("run now"),
		onDone,
		run: () => post(taskId, "promote")
	}) : null, (waiting?.steps ?? []).map((step) => k$1(SettleStep, {
		key: step,
		taskId,
		step,
		onDone
	})), WAITING.includes(state) ? k$1(Choice, {
		label: "priority",
		options: PRIORITIES,
		access: "operate",
		onDone,
		what: (priority) => what(`priority ${priority} for`),
		run: (priority) => post(taskId, "reprioritise", { priority })
	}) : null, ENDED.includes(state) ? null : k$1(AskedAction, {
		label: "cancel",
		access: "submit",
		tone: "danger",
		what: what("cancel"),
		onDone,
		run: () => call({
			method: "DELETE",
			path: pathOf("v1", "tasks", taskId)
		}),
		question: "The task ends as cancelled. An agent that works on it is told to stop."
	}), state === "failed" ? k$1(Action, {
		label: "retry",
		access: "submit",
		what: what("retry"),
		onDone,
		run: () => post(taskId, "retry")
	}) : null);
}
function SettleStep({ taskId, step, onDone }) {
	const settle = (body) => post(taskId, "settle", {
		step,
		...body
	});
	return k$1("span", {}, k$1(AskedAction, {
		label: "give back",
		access: "operate",
		what: `give back step ${step} of ${taskId}`,
		onDone,
		run: () => settle({ notDone: true }),
		question: `The step ${step} runs again. Choose this only when its effect did not happen.`
	}), k$1(AskedAction, {
		label: "it was done",
		access: "operate",
		what: `settle step ${step} of ${taskId} as done`,
		onDone,
		run: () => settle({ result: null }),
		question: `The step ${step} counts as done, without a result, and the task goes on behind it.`
	}));
}

const MOST = 500;
const EVERY_MS$3 = 3e3;
const MOST_ASKED = 4;
async function readStuck(signal) {
	const read = (query) => call({
		path: "/v1/tasks",
		query: {
			...query,
			limit: MOST
		},
		signal
	});
	const [retrying, stray, running, scheduled] = await Promise.all([
		read({ state: "retrying" }),
		read({ stray: true }),
		read({ state: "running" }),
		read({ state: "scheduled" })
	]);
	const waiting = running.tasks.filter((task) => task.waiting !== void 0);
	const pages = {
		retrying,
		stray,
		running,
		scheduled
	};
	const all = [
		...stray.tasks,
		...waiting,
		...retrying.tasks,
		...scheduled.tasks
	];
	return {
		tasks: [...new Map(all.map((task) => [task.taskId, task])).values()],
		cut: Object.entries(pages).flatMap(([name, { next }]) => next === null ? [] : [name])
	};
}
function StuckView() {
	const { data, error, atMs, reload } = useLive("stuck", readStuck, {
		everyMs: EVERY_MS$3,
		follow: { kind: "task" }
	});
	const details = useDetails();
	const counts = Object.entries(Object.groupBy(data?.tasks ?? [], kindOf));
	return k$1("section", {}, k$1(Heading, {
		title: "Stuck and retrying",
		atMs
	}), k$1(Failure, { error }), data === void 0 ? k$1("p", { class: "scope" }, "Reading…") : k$1("p", { class: "scope" }, counts.length === 0 ? "No task is stuck, retries or comes due later." : `${counts.map(([kind, tasks = []]) => `${showCount(tasks.length)} ${kind}`).join(", ")}. `, data.cut.length === 0 ? null : `There are more than ${MOST} stored entries for: ${data.cut.join(", ")}; the newest are shown.`), data === void 0 || data.tasks.length === 0 ? data === void 0 ? null : k$1(Nothing, {}, "Nothing is stuck.") : k$1(Rows, {
		label: "Stuck tasks",
		rows: data.tasks,
		columns: columnsOf(details.of, reload),
		keyOf: ({ taskId }) => taskId,
		linkOf: ({ taskId }) => linkTo("task", taskId),
		onShown: details.want
	}));
}
function kindOf({ state, stray, waiting }) {
	if (stray !== void 0) return "stray";
	return waiting === void 0 ? state : "waits for a person";
}
function useDetails() {
	const known = T(/* @__PURE__ */ new Map());
	const asked = T(0);
	const [, setVersion] = d(0);
	const keyOf = ({ taskId, state, attempt, dueAt }) => `${taskId} ${state} ${attempt} ${dueAt}`;
	const want = (tasks) => {
		for (const task of tasks) {
			const key = keyOf(task);
			if (known.current.has(key) || asked.current >= MOST_ASKED) continue;
			known.current.set(key, null);
			asked.current++;
			call({ path: pathOf("v1", "tasks", task.taskId) }).then((status) => known.current.set(key, status), () => known.current.delete(key)).finally(() => {
				asked.current--;
				setVersion((version) => version + 1);
				want(tasks);
			});
		}
	};
	return {
		want,
		of: (task) => known.current.get(keyOf(task)) ?? void 0
	};
}
function columnsOf(detailsOf, reload) {
	return [
		{
			title: "task",
			width: 3,
			cell: ({ taskId }) => taskId
		},
		{
			title: "capability",
			width: 2,
			from: "tablet",
			cell: ({ capability }) => capability ?? "–"
		},
		{
			title: "state",
			width: 2,
			cell: (task) => k$1(Badge, { of: task.stray === void 0 ? task.state : "stray" })
		},
		{
			title: "attempt",
			width: 1,
			from: "desktop",
			cell: ({ attempt }) => showCount(attempt)
		},
		{
			title: "last error",
			width: 4,
			from: "tablet",
			cell: (task) => lastErrorOf(detailsOf(task))
		},
		{
			title: "next try",
			width: 2,
			cell: ({ dueAt }) => k$1(Ago, { at: dueAt })
		},
		{
			title: "waits for",
			width: 3,
			from: "desktop",
			cell: (task) => waitOf$1(task, detailsOf(task))
		},
		{
			title: "actions",
			width: 6,
			cell: (task) => k$1(TaskActions, {
				task,
				onDone: reload
			})
		}
	];
}
function lastErrorOf(task) {
	const failed = task?.history?.attempts.findLast(({ error }) => error !== void 0)?.error;
	return failed === void 0 ? "–" : `${failed.code}: ${failed.message}`;
}
function waitOf$1(task, details) {
	if (task.stray !== void 0) return task.stray;
	if (task.waiting !== void 0) return `a person: ${showNumberOf(task.waiting.steps.length, "step")} ${task.waiting.steps.join(", ")}`;
	if (details?.paused !== void 0) return `the pause of ${task.capability}${details.paused.by === null ? "" : ` by ${details.paused.by}`}`;
	if (task.state === "retrying") return "its next try";
	if (task.state === "scheduled") return "its time";
	return "an agent";
}

function linesOf({ history, result, handOffs = [], queuedMs }) {
	const attempts = history?.attempts ?? [];
	const first = attempts.find(({ startedAt }) => startedAt !== void 0)?.startedAt ?? result?.startedAt;
	const wait = queuedMs !== null && first !== void 0 ? [{
		what: "wait in the queue",
		from: new Date(Date.parse(first) - queuedMs).toISOString(),
		to: first,
		state: "pending",
		more: ""
	}] : [];
	const lines = attempts.flatMap((each, at) => [{
		what: `attempt ${each.attempt} on ${each.agent}`,
		from: each.startedAt,
		to: each.endedAt,
		state: each.outcome,
		more: each.error === void 0 ? "" : `${each.error.code}: ${each.error.message}`
	}, ...each.retryAt === void 0 ? [] : [{
		what: "wait for the next try",
		from: each.endedAt,
		to: attempts[at + 1]?.startedAt ?? each.retryAt,
		state: "retrying",
		more: ""
	}]]);
	const hops = handOffs.map(({ agent, attempt, at }) => ({
		what: `hand-off by ${agent} in attempt ${attempt}`,
		from: at,
		to: at,
		state: "handed-off",
		more: ""
	}));
	const own = attempts.length === 0 && result !== void 0 && result.attempt > 0 ? [{
		what: `attempt ${result.attempt} on ${result.agent}`,
		from: result.startedAt,
		to: result.finishedAt,
		state: result.status,
		more: result.error === void 0 ? "" : `${result.error.code}: ${result.error.message}`
	}] : [];
	const startOf = ({ from, to }) => Date.parse(from ?? to ?? "") || 0;
	return [
		...wait,
		...lines,
		...hops,
		...own
	].sort((a, b) => startOf(a) - startOf(b));
}

const EVERY_MS$2 = 1e3;
const ENDED_EVERY_MS = 3e4;
function TaskView({ id }) {
	const { data, error, atMs, reload } = useLive(`task ${id}`, (signal) => call({
		path: pathOf("v1", "tasks", id),
		signal
	}), {
		everyMs: (task) => task?.result === void 0 ? EVERY_MS$2 : ENDED_EVERY_MS,
		follow: {
			kind: "task",
			id
		}
	});
	return k$1("section", {}, k$1(Heading, {
		title: `Task ${id}`,
		atMs
	}), k$1(Failure, { error }), data === void 0 ? null : k$1(TaskPage, {
		task: data,
		reload
	}));
}
function TaskPage({ task, reload }) {
	const { capability, agent, attempt, dueAt, placement, ballot, paused, stray, traceUrl, traceId, waiting } = task;
	const link = traceUrl !== void 0 && /^https?:\/\//.test(traceUrl) ? traceUrl : void 0;
	return k$1("div", {}, k$1("p", { class: "lead" }, k$1(Badge, { of: task.state }), task.progress === null || task.state !== "running" ? null : k$1("progress", {
		max: 100,
		value: task.progress,
		"aria-label": "progress"
	}), k$1(TaskActions, {
		task,
		onDone: reload
	})), stray === void 0 ? null : k$1("p", { class: "failure" }, stray), k$1(Facts, { of: [
		["capability", capability === null ? null : k$1(Go, { to: linkTo("tasks", "", { q: `capability:${capability}` }) }, capability)],
		["attempt", attempt === 0 ? "not started" : String(attempt)],
		["agent", agent === null || agent === "-" ? null : k$1(Go, { to: linkTo("agents", "", { q: agent }) }, agent)],
		["comes due", dueAt === null ? null : k$1(Ago, { at: dueAt })],
		["waited", task.queuedMs === null ? null : showDuration(task.queuedMs)],
		["waits for", waiting === void 0 ? null : `a person: ${waiting.steps.join(", ")}`],
		["paused", paused === void 0 ? null : k$1("span", {}, k$1(Ago, { at: paused.since }), ` by ${paused.by ?? "an unknown operator"}`)],
		["placed on", placement?.agent],
		["because", placement?.reasons?.map(({ what, value }) => `${what} ${value}`).join(", ")],
		["ballot", ballot === void 0 ? null : k$1(Go, { to: linkTo("ballot", task.taskId) }, `${ballot.answered} of ${ballot.seats} seats have answered`)],
		["trace", link !== void 0 ? k$1("a", {
			href: link,
			rel: "noreferrer",
			target: "_blank"
		}, `${traceId} (opens another page)`) : traceId]
	] }), k$1(TimeLine, { task }), k$1(ResultPart, { task }));
}
function TimeLine({ task }) {
	const nowMs = useNow();
	const lines = linesOf(task);
	const times = lines.flatMap(({ from, to }) => [from, to]).flatMap((at) => at === void 0 ? [] : [Date.parse(at)]);
	if (lines.length === 0) return k$1("p", {}, "No attempt has begun.");
	const start = Math.min(...times);
	const end = Math.max(...times, task.result === void 0 ? nowMs : 0);
	const span = Math.max(1, end - start);
	const { droppedAttempts = 0, droppedTraces = 0 } = task.history ?? {};
	return k$1("div", {}, k$1("h2", {}, "Time line"), k$1("ol", { class: "timeline" }, lines.map(({ what, from, to, state, more }, at) => {
		const fromMs = from === void 0 ? start : Date.parse(from);
		const toMs = to === void 0 ? state === "running" ? nowMs : fromMs : Date.parse(to);
		return k$1("li", { key: `${at} ${what}` }, k$1("span", { class: "what" }, what, " ", k$1(Badge, { of: state })), k$1("span", { class: "when" }, `${showTime(from, nowMs)}, ${showDuration(Math.max(0, toMs - fromMs))}`), k$1("span", {
			class: "bar",
			"aria-hidden": "true"
		}, k$1("span", {
			class: `fill ${state}`,
			style: {
				left: `${(fromMs - start) / span * 100}%`,
				width: `${Math.max(.4, (toMs - fromMs) / span * 100)}%`
			}
		})), more === "" ? null : k$1("span", { class: "more" }, more));
	})), droppedAttempts + droppedTraces === 0 ? null : k$1("p", { class: "scope" }, `${droppedAttempts} attempts and ${droppedTraces} stacks are no longer stored.`), k$1(Steps, { task }), (task.history?.attempts ?? []).filter((each) => each.trace !== void 0).map((each) => k$1("details", { key: each.attempt }, k$1("summary", {}, `Stack of attempt ${each.attempt}`), k$1(Text, {
		label: `stack of attempt ${each.attempt}`,
		children: each.trace
	}))));
}
function Steps({ task }) {
	const steps = task.history?.steps ?? [];
	if (steps.length === 0) return null;
	return k$1("div", {}, k$1("h2", {}, "Journal: recorded steps"), k$1("ul", { class: "steps" }, steps.map(({ step, state, attempt, at, error }) => k$1("li", { key: step }, k$1("code", {}, step), " ", k$1(Badge, { of: state }), ` attempt ${attempt}, `, k$1(Ago, { at }), error === void 0 ? null : k$1("span", { class: "more" }, ` ${error.code}: ${error.message}`)))), (task.history?.droppedSteps ?? 0) === 0 ? null : k$1("p", { class: "scope" }, `${task.history?.droppedSteps} older steps are no longer stored.`));
}
function ResultPart({ task }) {
	const { result } = task;
	if (result === void 0) return null;
	const { status, error, output, agent, attempt, startedAt, finishedAt, ranMs, queuedMs, usage } = result;
	return k$1("div", {}, k$1("h2", {}, "Result ", k$1(Badge, { of: status })), error === void 0 ? null : k$1("p", { class: "failure" }, `${error.code}: ${error.message}`), k$1(Facts, { of: [
		["attempt", `${attempt} on ${agent}`],
		["began", k$1(Ago, { at: startedAt })],
		["ended", k$1(Ago, { at: finishedAt })],
		["waited", showDuration(queuedMs)],
		["ran", showDuration(ranMs)],
		["model usage", usage === void 0 ? null : showValue(usage, 500)]
	] }), output === void 0 ? null : k$1(Text, {
		label: "output",
		children: showValue(output)
	}));
}

const WORDS = {
	id: "idPrefix",
	capability: "capability",
	state: "state",
	code: "code",
	agent: "agent",
	scope: "scope",
	since: "since",
	label: "label"
};
const SHORT = {
	cap: "capability",
	error: "code",
	from: "since"
};
function readSearch(text) {
	const fields = {};
	const problems = [];
	for (const part of text.split(/\s+/).filter((each) => each !== "")) {
		const colon = part.indexOf(":");
		const name = colon < 0 ? "id" : part.slice(0, colon).toLowerCase();
		const value = colon < 0 ? part : part.slice(colon + 1);
		const word = SHORT[name] ?? (name in WORDS ? name : void 0);
		if (word === void 0) problems.push(`${name} is no word of the search; known: ${Object.keys(WORDS).join(", ")}`);
		else if (value === "") problems.push(`${name}: needs a value`);
		else if (word === "label") fields.label = [...fields.label ?? [], value];
		else if (fields[WORDS[word]] !== void 0) problems.push(`${name} is given twice; the first one counts`);
		else fields[WORDS[word]] = value;
	}
	return {
		fields,
		problem: problems.length === 0 ? null : problems.join("; ")
	};
}

const PAGE_SIZE = 200;
const EVERY_MS$1 = 5e3;
const TASK_COLUMNS = [
	{
		title: "task",
		width: 4,
		cell: ({ taskId }) => taskId
	},
	{
		title: "capability",
		width: 2,
		from: "tablet",
		cell: ({ capability }) => capability ?? "–"
	},
	{
		title: "state",
		width: 2,
		cell: ({ state, stray, progress }) => k$1("span", {}, k$1(Badge, { of: stray === void 0 ? state : "stray" }), progressOf(state, progress))
	},
	{
		title: "attempt",
		width: 1,
		from: "desktop",
		cell: ({ attempt }) => showCount(attempt)
	},
	{
		title: "agent",
		width: 2,
		from: "tablet",
		cell: ({ agent }) => agent === null || agent === "-" ? "–" : agent
	},
	{
		title: "error or next try",
		width: 3,
		cell: showOutcome
	},
	{
		title: "ran",
		width: 1,
		from: "desktop",
		cell: ({ result }) => result === void 0 ? "–" : showDuration(result.ranMs)
	}
];
function progressOf(state, progress) {
	return state === "running" && progress !== null ? ` ${Math.round(progress)} %` : "";
}
function showOutcome({ result, dueAt, waiting, stray, ballot }) {
	if (result?.error !== void 0) return `${result.error.code}: ${result.error.message}`;
	if (stray !== void 0) return stray;
	if (waiting !== void 0) return `waits for a person: ${waiting.steps.join(", ")}`;
	if (dueAt !== null) return k$1(Ago, { at: dueAt });
	if (ballot !== void 0 && result === void 0) return `${ballot.answered} of ${ballot.seats} seats`;
	return result === void 0 ? "–" : k$1(Ago, { at: result.finishedAt });
}
function readTasks(search, signal, after) {
	return call({
		path: "/v1/tasks",
		query: {
			...search,
			limit: PAGE_SIZE,
			after
		},
		signal
	});
}
function TasksView({ search, go }) {
	const { fields, problem } = readSearch(search);
	const first = useLive(`tasks ${search}`, (signal) => readTasks(fields, signal), {
		everyMs: EVERY_MS$1,
		follow: { kind: "task" }
	});
	const more = useMore(search, fields, first.data);
	const shown = w(() => first.data === void 0 ? [] : withoutTwins([...first.data.tasks, ...more.tasks]), [first.data, more.tasks]);
	return k$1("section", {}, k$1(Heading, {
		title: "Tasks",
		atMs: first.atMs
	}), k$1(SearchField, {
		search,
		go
	}), problem === null ? null : k$1("p", {
		class: "failure",
		role: "alert"
	}, problem), k$1(Failure, { error: more.error ?? first.error }), k$1("p", { class: "scope" }, first.data === void 0 ? "Reading…" : scopeOf$1(shown.length, first.data, more)), first.data !== void 0 && shown.length === 0 ? k$1(Nothing, {}, search === "" ? "No task is stored." : "No task fits the search.") : k$1(Rows, {
		label: "Tasks",
		rows: shown,
		columns: TASK_COLUMNS,
		keyOf: ({ taskId }) => taskId,
		linkOf: ({ taskId }) => linkTo("task", taskId),
		onEnd: more.readOn
	}));
}
function SearchField({ search, go }) {
	const [text, setText] = d(search);
	A(() => setText(search), [search]);
	const submit = (event) => {
		event.preventDefault();
		go(text.trim());
	};
	return k$1("form", {
		class: "search",
		role: "search",
		onSubmit: submit
	}, k$1("label", { for: "search" }, "Search"), k$1("input", {
		id: "search",
		type: "search",
		value: text,
		autocomplete: "off",
		spellcheck: false,
		maxLength: 1e3,
		placeholder: "id, capability:pay state:failed code:timeout agent:pay-1 since:1h label:order=7",
		onInput: (event) => setText(event.currentTarget.value)
	}), k$1("button", { type: "submit" }, "search"), [
		"state:running",
		"state:failed",
		"state:retrying",
		"since:1h"
	].map((word) => k$1("a", {
		key: word,
		class: "chip",
		href: linkTo("tasks", "", { q: withWord(search, word) })
	}, word)), search === "" ? null : k$1("a", {
		class: "chip",
		href: linkTo("tasks")
	}, "all"));
}
function withWord(search, word) {
	const name = word.slice(0, word.indexOf(":") + 1);
	return [...search.split(/\s+/).filter((each) => each !== "" && !each.startsWith(name)), word].join(" ");
}
function useMore(search, fields, first) {
	const empty = {
		search,
		tasks: [],
		pages: 0,
		seen: 0,
		next: void 0,
		error: void 0
	};
	const [more, setMore] = d(empty);
	const isReading = T(false);
	const own = more.search === search ? more : empty;
	const next = own.next === void 0 ? first?.next : own.next;
	const readOn = () => {
		if (isReading.current || next === null || next === void 0 || own.error !== void 0) return;
		isReading.current = true;
		readTasks(fields, AbortSignal.timeout(6e4), next).then((page) => setMore({
			search,
			pages: own.pages + 1,
			seen: own.seen + page.seen,
			next: page.next,
			error: void 0,
			tasks: [...own.tasks, ...page.tasks]
		}), (error) => {
			if (error instanceof ApiError) setMore({
				...own,
				error
			});
		}).finally(() => {
			isReading.current = false;
		});
	};
	return {
		...own,
		readOn
	};
}
function withoutTwins(tasks) {
	return [...new Map(tasks.map((task) => [task.taskId, task])).values()];
}
function scopeOf$1(shown, first, more) {
	const isAll = (more.next === void 0 ? first.next : more.next) === null;
	const seen = first.seen + more.seen;
	const hidden = first.hidden.map(({ count, reason }) => `${showCount(count)} ${reason}`).join("; ");
	const end = isAll ? "These are all." : "Scroll to read on.";
	const ballots = first.missesBallots ? " No coordinator answered, so open ballots are missing." : "";
	return `${showCount(shown)} shown of ${showCount(seen)} stored entries that were looked at. ${end}${hidden === "" ? "" : ` On the first page, ${hidden}.`}${ballots}`;
}

function makeTree(steps) {
	const roots = [];
	const known = /* @__PURE__ */ new Map();
	for (const step of steps) {
		const parts = step.path.split("/");
		let among = roots;
		for (const [at, name] of parts.entries()) {
			const path = parts.slice(0, at + 1).join("/");
			let node = known.get(path);
			if (node === void 0) {
				node = {
					name,
					path,
					step: void 0,
					children: []
				};
				known.set(path, node);
				among.push(node);
			}
			if (at === parts.length - 1) node.step = step;
			among = node.children;
		}
	}
	return roots;
}

const EVERY_MS = 3e3;
const MOST_RUNS = 1e3;
const STATES = [
	"",
	"running",
	"blocked",
	"paused",
	"failed",
	"compensating",
	"compensation_failed",
	"completed"
];
function WorkflowsView({ search }) {
	const { data, error, atMs } = useLive(`workflows ${search}`, (signal) => call({
		path: "/v1/workflows",
		query: {
			limit: MOST_RUNS,
			...queryOf(search)
		},
		signal
	}), {
		everyMs: EVERY_MS,
		follow: { kind: "workflow" }
	});
	return k$1("section", {}, k$1(Heading, {
		title: "Workflows",
		atMs
	}), k$1("nav", {
		class: "chips",
		"aria-label": "state"
	}, [...STATES, "waiting:human"].map((state) => k$1("a", {
		key: state,
		class: "chip",
		href: linkTo("workflows", "", { q: state }),
		...state === search ? { "aria-current": "true" } : {}
	}, state === "" ? "all" : state === "waiting:human" ? "waits for a person" : state.replaceAll("_", " ")))), k$1(Failure, { error }), k$1("p", { class: "scope" }, data === void 0 ? "Reading…" : scopeOf(data)), data !== void 0 && data.runs.length === 0 ? k$1(Nothing, {}, search === "" ? "No workflow has run." : "No run is in this state.") : k$1(Rows, {
		label: "Workflows",
		rows: data?.runs ?? [],
		columns: COLUMNS,
		keyOf: ({ id }) => id,
		linkOf: ({ id }) => linkTo("workflow", id)
	}));
}
function queryOf(search) {
	if (search === "") return {};
	return search === "waiting:human" ? { waiting: "human" } : { state: search };
}
function scopeOf({ runs, more, seen, unreadable, isCut }) {
	const rest = more > 0 ? `, ${showCount(more)} more fit` : "";
	const cut = isCut ? " There are more logs than were looked at." : "";
	const bad = unreadable > 0 ? ` ${showNumberOf(unreadable, "log")} could not be read.` : "";
	return `${showNumberOf(runs.length, "run")} of ${showNumberOf(seen, "log")}${rest}.${cut}${bad}`;
}
const COLUMNS = [
	{
		title: "run",
		width: 4,
		cell: ({ id }) => id
	},
	{
		title: "workflow",
		width: 2,
		cell: ({ name, version }) => `${name} ${version}`
	},
	{
		title: "state",
		width: 2,
		cell: ({ state }) => k$1(Badge, { of: state })
	},
	{
		title: "waits for",
		width: 3,
		from: "tablet",
		cell: ({ waiting }) => waitOf(waiting)
	},
	{
		title: "progress",
		width: 2,
		from: "desktop",
		cell: ({ progress, note }) => `${progress === void 0 ? "" : showShare(progress)} ${note ?? ""}`.trim() || "–"
	},
	{
		title: "last entry",
		width: 2,
		cell: ({ at }) => k$1(Ago, { at })
	}
];
function waitOf(waiting) {
	if (waiting === void 0) return "–";
	const { reason, path, count, by, dueMs } = waiting;
	const what = `${reason}${path === void 0 ? "" : ` ${path}`}${count > 1 ? ` and ${count - 1} more` : ""}`;
	return k$1("span", {}, what, by === void 0 ? null : ` (${by.join(", ")})`, dueMs === void 0 ? null : k$1("span", {}, " ", k$1(Ago, { at: new Date(dueMs).toISOString() })));
}
const send = (run, verb, body = {}) => call({
	method: "POST",
	path: pathOf("v1", "workflows", run, verb),
	body
});
function WorkflowView({ id }) {
	const { data, error, atMs, reload } = useLive(`workflow ${id}`, (signal) => call({
		path: pathOf("v1", "workflows", id),
		signal
	}), {
		everyMs: EVERY_MS,
		follow: {
			kind: "workflow",
			id
		}
	});
	return k$1("section", {}, k$1(Heading, {
		title: `Run ${id}`,
		atMs
	}), k$1(Failure, { error }), data === void 0 ? null : k$1(RunPage, {
		run: data,
		reload
	}));
}
function RunPage({ run, reload }) {
	const { blocked, error } = run;
	const tree = makeTree(run.steps);
	const settled = run.steps.filter(({ state }) => state !== "open" && state !== "cancelling").length;
	return k$1("div", {}, k$1("p", { class: "lead" }, k$1(Badge, { of: run.state }), k$1("progress", {
		max: 1,
		value: run.progress ?? (run.steps.length === 0 ? 0 : settled / run.steps.length),
		"aria-label": "progress"
	}), k$1(RunActions, {
		run,
		reload
	})), blocked === void 0 ? null : k$1("p", { class: "failure" }, `Blocked (${blocked.cause}): ${blocked.message}`, blocked.path === void 0 ? null : ` at ${blocked.path}`), error === void 0 ? null : k$1("p", { class: "failure" }, `${error.code}: ${error.message}`), run.absent.map((reason) => k$1("p", {
		key: reason,
		class: "failure"
	}, reason)), k$1(Facts, { of: [
		["workflow", `${run.name} version ${run.version}`],
		["began", k$1(Ago, { at: run.startedAt })],
		["last entry", k$1(Ago, { at: run.at })],
		["waits for", waitOf(run.waiting)],
		["status", run.note],
		["part of", run.parent === void 0 ? null : k$1(Go, { to: linkTo("workflow", run.parent) }, run.parent)],
		["log", `${showCount(run.entries)} entries, generation ${run.generation}`],
		...run.maps.map(({ path, items, ended }) => [`map ${path}`, `${showCount(ended)} of ${showCount(items)} items ended`])
	] }), k$1("h2", {}, "Steps"), run.steps.length === 0 ? k$1(Nothing, {}, "No step was ordered yet.") : k$1(Tree, {
		nodes: tree,
		run: run.id,
		reload
	}), run.more === 0 ? null : k$1("p", { class: "scope" }, `${showNumberOf(run.more, "completed step")} are not shown.`), k$1("h2", {}, "Input"), k$1(Text, {
		label: "input",
		children: showValue(run.input)
	}), run.output === void 0 ? null : k$1("div", {}, k$1("h2", {}, "Output"), k$1(Text, {
		label: "output",
		children: showValue(run.output)
	})));
}
function RunActions({ run, reload }) {
	const { id, state } = run;
	const isEnded = [
		"completed",
		"failed",
		"cancelled",
		"compensated"
	].includes(state);
	const base = {
		access: "operate",
		onDone: reload
	};
	return k$1("span", { class: "buttons" }, isEnded || state === "paused" ? null : k$1(Action, {
		...base,
		label: "pause",
		what: `pause ${id}`,
		run: () => send(id, "pause")
	}), [
		"paused",
		"blocked",
		"compensation_failed"
	].includes(state) ? k$1(Action, {
		...base,
		label: "resume",
		what: `resume ${id}`,
		run: () => send(id, "resume")
	}) : null, isEnded ? null : k$1(AskedAction, {
		...base,
		label: "cancel",
		tone: "danger",
		what: `cancel ${id}`,
		run: () => send(id, "cancel"),
		question: "The run ends, and the steps that may have had an effect are undone."
	}), state === "failed" ? k$1(Action, {
		...base,
		label: "retry",
		what: `retry ${id}`,
		run: () => send(id, "retry")
	}) : null);
}
function Tree({ nodes, run, reload }) {
	return k$1("ul", { class: "tree" }, nodes.map((node) => k$1(Branch, {
		key: node.path,
		node,
		run,
		reload
	})));
}
const FIRST_CHILDREN = 50;
function Branch({ node, run, reload }) {
	const [isWhole, setWhole] = d(false);
	const { step, children } = node;
	const shown = isWhole ? children : children.slice(0, FIRST_CHILDREN);
	return k$1("li", {}, k$1("div", { class: "step" }, k$1("span", { class: "name" }, node.name), step === void 0 ? null : k$1(StepLine, {
		step,
		run,
		reload
	})), shown.length === 0 ? null : k$1(Tree, {
		nodes: shown,
		run,
		reload
	}), shown.length === children.length ? null : k$1("button", {
		type: "button",
		class: "small",
		onClick: () => setWhole(true)
	}, `show all ${children.length}`));
}
function StepLine({ step, run, reload }) {
	const { kind, state, call: called, task, orderedAt, endedAt, error, due, by, undo, path } = step;
	const target = task === void 0 ? void 0 : linkTo(kind === "child" ? "workflow" : "task", task);
	return k$1("span", {}, " ", k$1(Badge, { of: state }), ` ${kind} `, called === void 0 ? null : target === void 0 ? called : k$1(Go, { to: target }, called), " ", k$1(Ago, { at: endedAt ?? orderedAt }), due === void 0 ? null : k$1("span", {}, ", due ", k$1(Ago, { at: due })), by === void 0 ? null : `, by ${by.join(", ")}`, undo === void 0 ? null : `, undone by ${undo}`, error === void 0 ? null : k$1("span", { class: "more" }, ` ${error.code}: ${error.message}`), kind === "approval" && state === "open" ? k$1(Decision, {
		run,
		path,
		reload
	}) : null);
}
function Decision({ run, path, reload }) {
	const [note, setNote] = d("");
	if (!may("operate")) return null;
	const body = {
		approval: path,
		...note === "" ? {} : { note }
	};
	const base = {
		access: "operate",
		onDone: reload
	};
	return k$1("span", { class: "buttons" }, k$1("input", {
		type: "text",
		value: note,
		maxLength: 200,
		placeholder: "note",
		"aria-label": `note about ${path}`,
		onInput: (event) => setNote(event.currentTarget.value)
	}), k$1(Action, {
		...base,
		label: "approve",
		what: `approve ${path} of ${run}`,
		run: () => send(run, "approve", body)
	}), k$1(Action, {
		...base,
		label: "reject",
		tone: "danger",
		what: `reject ${path} of ${run}`,
		run: () => send(run, "reject", body)
	}));
}

const CUT_AFTER_MS = 1500;
function useAddress() {
	const [address, setAddress] = d(() => readAddress(location.hash));
	A(() => {
		const change = () => setAddress(readAddress(location.hash));
		addEventListener("hashchange", change);
		return () => removeEventListener("hashchange", change);
	}, []);
	return address;
}
function setSearch(view, q) {
	history.replaceState(null, "", linkTo(view, "", { q }));
	dispatchEvent(new HashChangeEvent("hashchange"));
}
function View({ view, id, q }) {
	const go = (next) => setSearch(view, next);
	if (id !== "" && view === "task") return k$1(TaskView, {
		id,
		key: id
	});
	if (id !== "" && view === "workflow") return k$1(WorkflowView, {
		id,
		key: id
	});
	if (id !== "" && view === "ballot") return k$1(BallotView, {
		id,
		key: id
	});
	if (view === "problems") return k$1(ProblemsView, {});
	if (view === "stuck") return k$1(StuckView, {});
	if (view === "dead") return k$1(DeadView, {
		search: q,
		go
	});
	if (view === "tasks") return k$1(TasksView, {
		search: q,
		go
	});
	if (view === "queues") return k$1(QueuesView, {});
	if (view === "agents") return k$1(AgentsView, {
		search: q,
		go
	});
	if (view === "workflows") return k$1(WorkflowsView, { search: q });
	if (view === "ballots") return k$1(BallotsView, {});
	if (view === "office") return k$1(OfficeView, {});
	return k$1("section", {}, k$1("h1", {}, "There is no such view"), k$1("p", {}, k$1("a", { href: linkTo("problems") }, "What is wrong now?")));
}
function App({ session, onOut }) {
	const { view, id, search } = useAddress();
	const [isHelp, setHelp] = d(false);
	const state = useStream();
	const isCut = useCut(state !== "live");
	A(() => {
		const press = (event) => {
			const isTyping = event.target instanceof HTMLElement && event.target.matches("input, select, textarea");
			if (event.key === "Escape" && isTyping) event.target.blur();
			if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
			if (document.querySelector("dialog[open]") !== null) return;
			const next = viewOfKey(event.key);
			if (next !== void 0) location.hash = linkTo(next);
			else if (event.key === "?") setHelp(true);
			else if (event.key === "/") document.getElementById("search")?.focus();
			else if (event.key === "j" || event.key === "k") document.querySelector(".rows")?.focus();
			else return;
			event.preventDefault();
		};
		addEventListener("keydown", press);
		return () => removeEventListener("keydown", press);
	}, []);
	A(() => {
		document.title = `${VIEWS.find((each) => each.view === view)?.title ?? `${view} ${id}`} – ${session.swarm}`;
	}, [view, id]);
	const parent = VIEWS.find((each) => each.view === view || each.parts.includes(view))?.view;
	return k$1("div", { class: isCut ? "app cut" : "app" }, k$1("a", {
		class: "skip",
		href: "#title",
		onClick: skip
	}, "Skip to the view"), k$1("header", { class: "top" }, k$1("strong", { class: "swarm" }, session.swarm), k$1("nav", { "aria-label": "views" }, VIEWS.map((each) => k$1("a", {
		key: each.view,
		href: linkTo(each.view),
		title: `key ${each.key}`,
		...each.view === parent ? { "aria-current": "page" } : {}
	}, each.title))), k$1("span", { class: "caller" }, session.needsLogin ? `${session.user} (${session.access})` : "no login"), k$1("button", {
		type: "button",
		class: "small",
		onClick: () => setHelp(true),
		title: "key ?"
	}, "keys"), session.needsLogin ? k$1("button", {
		type: "button",
		class: "small",
		onClick: onOut
	}, "log out") : null), k$1("p", {
		class: `stream ${isCut ? "lost" : state}`,
		role: "status"
	}, isCut ? "The stream is cut: the figures are those of before. Connecting again…" : state === "live" ? "live" : "connecting"), k$1("main", {}, k$1(View, {
		view,
		id,
		q: search.q ?? ""
	})), k$1(Endings, {}), isHelp ? k$1(Help, { onClose: () => setHelp(false) }) : null);
}
function skip(event) {
	event.preventDefault();
	document.getElementById("title")?.focus();
}
function useCut(isLost) {
	const [isCut, setCut] = d(false);
	A(() => {
		if (!isLost) {
			setCut(false);
			return;
		}
		const timer = setTimeout(() => setCut(true), CUT_AFTER_MS);
		return () => clearTimeout(timer);
	}, [isLost]);
	return isCut;
}
function Help({ onClose }) {
	return k$1(Dialog, {
		title: "Keys",
		onClose
	}, k$1("dl", { class: "keys" }, HELP.map(([key, about]) => k$1("div", { key }, k$1("dt", {}, k$1("kbd", {}, key)), k$1("dd", {}, about)))), k$1("p", { class: "buttons" }, k$1("button", {
		type: "button",
		onClick: onClose
	}, "close")));
}
function Login({ onIn, problem }) {
	const [token, setToken] = d("");
	const [failure, setFailure] = d(problem);
	const submit = (event) => {
		event.preventDefault();
		logIn(token.trim()).then(onIn, (error) => {
			setFailure(error instanceof ApiError ? error.message : "the login failed");
		});
	};
	return k$1("main", { class: "login" }, k$1("h1", {}, "Murmur"), k$1("form", { onSubmit: submit }, k$1("label", { for: "token" }, "Token of the API"), k$1("input", {
		id: "token",
		type: "password",
		autocomplete: "off",
		required: true,
		value: token,
		maxLength: 512,
		onInput: (event) => setToken(event.currentTarget.value)
	}), k$1("button", { type: "submit" }, "log in")), failure === void 0 ? null : k$1("p", {
		class: "failure",
		role: "alert"
	}, failure), k$1("p", {}, "An operator makes a token with ", k$1("code", {}, "murmur token new NAME --access read"), "."));
}
function Root({ found, problem }) {
	const [session, setSession] = d(found);
	const [why, setWhy] = d(problem);
	A(() => {
		hearSignOut(() => {
			stopStream();
			setWhy("The session has ended: its token expired or was revoked.");
			setSession(null);
		});
	}, []);
	keepRights(session ?? void 0);
	const out = () => {
		stopStream();
		logOut().catch(() => void 0).finally(() => {
			setWhy(void 0);
			setSession(null);
		});
	};
	if (session === null) return k$1(Login, {
		onIn: setSession,
		problem: why
	});
	return k$1(App, {
		session,
		onOut: out,
		key: session.user
	});
}
async function start() {
	const place = document.getElementById("console");
	if (place === null) return;
	place.replaceChildren();
	for (;;) try {
		const found = await findSession();
		Q(k$1(Root, {
			found,
			problem: void 0
		}), place);
		return;
	} catch (error) {
		const reason = error instanceof ApiError ? error.message : String(error);
		Q(k$1("p", {
			class: "failure",
			role: "alert"
		}, `${reason}. Trying again…`), place);
		await new Promise((resolve) => setTimeout(resolve, 1e3));
	}
}
start();
