package deliver

import "container/list"

// lru is a map that forgets what was not asked for the longest once it weighs more than its bound. It is
// not safe for concurrent use.
type lru[K comparable, V any] struct {
	bound, weight int
	byKey         map[K]*list.Element
	newest        *list.List // of lruEntry[K, V], the newest in front
}

type lruEntry[K comparable, V any] struct {
	key    K
	value  V
	weight int
}

func newLRU[K comparable, V any](bound int) *lru[K, V] {
	return &lru[K, V]{bound: bound, byKey: map[K]*list.Element{}, newest: list.New()}
}

func (l *lru[K, V]) get(key K) (value V, found bool) {
	e, found := l.byKey[key]
	if !found {
		return value, false
	}
	l.newest.MoveToFront(e)
	return e.Value.(lruEntry[K, V]).value, true
}

// put replaces what there is under key.
func (l *lru[K, V]) put(key K, value V, weight int) {
	l.drop(key)
	l.byKey[key] = l.newest.PushFront(lruEntry[K, V]{key, value, weight})
	l.weight += weight
	for l.weight > l.bound {
		l.drop(l.newest.Back().Value.(lruEntry[K, V]).key)
	}
}

func (l *lru[K, V]) drop(key K) {
	if e, found := l.byKey[key]; found {
		l.weight -= l.newest.Remove(e).(lruEntry[K, V]).weight
		delete(l.byKey, key)
	}
}

func (l *lru[K, V]) clear() {
	clear(l.byKey)
	l.newest.Init()
	l.weight = 0
}
