package schemas

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/avro"
)

// Registrar is what registering the schemas needs of a schema registry.
type Registrar interface {
	// Register gives the id of a schema's text under a subject, registering it if it is new. The
	// subject takes only schemas that are compatible both ways with all earlier ones.
	Register(ctx context.Context, subject, schema string) (int, error)
}

// Registered is one version of an event's schema in the registry.
type Registered struct {
	Subject string
	Version int // its number in avro/; the registry counts for itself
	ID      int
}

// Register registers every version of every event's schema, always in the same order. On a cluster of one's own it
// is a step of a deployment, never a side effect of producing. Versions that are not compatible with each other are
// refused before the registry hears of any: it may be one that would take them.
func Register(ctx context.Context, r Registrar) ([]Registered, error) {
	var all []Registered
	for _, e := range Events() {
		if err := Evolution(e.Versions()); err != nil {
			return nil, fmt.Errorf("%s is not %s: %w", e.Name, Compatibility, err)
		}
	}
	for _, e := range Events() {
		for i, text := range e.Versions() {
			id, err := r.Register(ctx, e.Subject(), text)
			if err != nil {
				return all, fmt.Errorf("register version %d of %s under %s: %w", i+1, e.Name, e.Subject(), err)
			}
			all = append(all, Registered{e.Subject(), i + 1, id})
		}
	}
	return all, nil
}

// CheckedRegistry is what checking needs of a schema registry.
type CheckedRegistry interface {
	Registry
	// Compatibility is a subject's level, or "" where it has none of its own.
	Compatibility(ctx context.Context, subject string) (string, error)
}

// Compatibility is the level that every subject must have.
const Compatibility = "FULL_TRANSITIVE"

// Check looks every version of every event's schema up, whether what is behind its id reads the same, and whether
// the subject would take an incompatible one. It returns what is there; the error joins what is wrong, or is
// that of a registry that could not be asked.
func Check(ctx context.Context, r CheckedRegistry) (all []Registered, err error) {
	var wrong []error
	for _, e := range Events() {
		for i, text := range e.Versions() {
			id, err := r.ID(ctx, e.Subject(), text)
			if err == nil {
				err = sameSchema(ctx, r, id, text)
			}
			switch {
			case errors.Is(err, ErrNotRegistered):
				wrong = append(wrong, fmt.Errorf("version %d of %s is not registered under %s; run `dozaar schemas apply`: %w", i+1, e.Name, e.Subject(), err))
			case err != nil:
				return all, fmt.Errorf("look up version %d of %s: %w", i+1, e.Name, err)
			default:
				all = append(all, Registered{e.Subject(), i + 1, id})
			}
		}
		level, err := r.Compatibility(ctx, e.Subject())
		if err != nil {
			return all, fmt.Errorf("look up the compatibility of %s: %w", e.Subject(), err)
		}
		if level != Compatibility && len(wrong) == 0 {
			wrong = append(wrong, fmt.Errorf("subject %s has compatibility %q and should have %s; run `dozaar schemas apply`", e.Subject(), level, Compatibility))
		}
	}
	return all, errors.Join(wrong...)
}

// sameSchema tells a registry that was filled anew, so that an id means something else, from one that was not.
func sameSchema(ctx context.Context, r Registry, id int, text string) error {
	there, err := r.Schema(ctx, id)
	if err != nil {
		return err
	}
	want, err := avro.Parse(text)
	if err != nil {
		return err
	}
	have, err := avro.Parse(there)
	if err != nil || string(have.Canonical()) != string(want.Canonical()) {
		return fmt.Errorf("%w: id %d is another schema", ErrNotRegistered, id)
	}
	return nil
}
