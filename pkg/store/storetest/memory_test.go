package storetest_test

import (
	"testing"

	"github.com/dozaar/dozaar/pkg/store/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Store { return storetest.NewMemory() })
}
