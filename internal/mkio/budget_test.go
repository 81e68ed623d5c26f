package mkio

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mkio-bridge/internal/lifecycle"
)

func TestBudgetLimitHoldsInAnyMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perMinute = 300
		b := NewBudget(perMinute)
		time.Sleep(time.Hour) // unused grants beyond the burst expire
		var taken []time.Time
		for range 2000 {
			if err := b.Take(t.Context(), Changes); err != nil {
				t.Fatal(err)
			}
			taken = append(taken, time.Now())
		}
		for i := range taken {
			if i >= perMinute && taken[i].Sub(taken[i-perMinute]) < time.Minute {
				t.Fatalf("more than %d requests in the minute before %s", perMinute, taken[i])
			}
		}
		if took := taken[len(taken)-1].Sub(taken[0]); took > 8*time.Minute {
			t.Errorf("2000 requests at %d a minute took %s", perMinute, took)
		}
	})
}

// A new budget has no saved grants, because a bridge before it may have spent them.
func TestRestartDoesNotExceedTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perMinute = 1000
		granted := 0
		for range 6 {
			b := NewBudget(perMinute)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			for b.Take(ctx, Urgent) == nil {
				granted++
			}
			cancel()
		}
		if granted > perMinute || granted < perMinute*8/10 {
			t.Errorf("%d requests in a minute", granted)
		}
	})
}

func TestBudgetGrantsTheMostUrgentFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(20) // one may be saved
		if err := b.Take(t.Context(), Sweeps); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var order []Class
		var wg sync.WaitGroup
		for _, class := range []Class{Sweeps, Sweeps, Changes, Urgent, Changes, Urgent} {
			wg.Go(func() {
				if err := b.Take(t.Context(), class); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				order = append(order, class)
			})
			synctest.Wait()
		}
		wg.Wait()
		for i, want := range []Class{Urgent, Urgent, Changes, Changes, Sweeps, Sweeps} {
			if order[i] != want {
				t.Fatalf("the order is %v", order)
			}
		}
	})
}

// Where requests of all classes wait all the time, each class has its share, and none waits for ever.
func TestEachClassHasAShareOfTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(600)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		var granted [classes]int
		var running sync.WaitGroup
		for class := range classes {
			running.Go(func() {
				for b.Take(ctx, class) == nil {
					granted[class]++
				}
			})
			running.Go(func() { // a second one, so that the class always waits
				for b.Take(ctx, class) == nil {
				}
			})
		}
		running.Wait()
		total := granted[Urgent] + granted[Changes] + granted[Sweeps]
		for class, tenths := range shares {
			if got := 10 * float64(granted[class]) / float64(total); math.Abs(got-float64(tenths)) > 0.2 {
				t.Errorf("class %d has %.1f tenths of %d grants, want %d", class, got, total, tenths)
			}
		}
	})
}

func TestBudgetPauseDelaysAllRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(1000)
		began := time.Now()
		b.Pause(began.Add(30 * time.Second))
		if err := b.Take(t.Context(), Urgent); err != nil || time.Since(began) < 30*time.Second {
			t.Errorf("granted after %s, %v", time.Since(began), err)
		}
	})
}

func TestCancelledTakeReturnsItsGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(20)
		if err := b.Take(t.Context(), Urgent); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := b.Take(ctx, Urgent); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Take: %v", err)
		}
		began := time.Now()
		if err := b.Take(t.Context(), Sweeps); err != nil || time.Since(began) > 4*time.Second {
			t.Errorf("the next waited %s, %v", time.Since(began), err)
		}
	})
}

// Grants and waiting times are counted by project and class.
func TestBudgetMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, assetPage("a", "")) })
		const requests = 5
		for range requests {
			if _, err := walk(t, c, lifecycle.Asset); err != nil {
				t.Fatal(err)
			}
		}
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(c.Collectors()...)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, family := range families {
			m := family.GetMetric()[0]
			found++
			switch family.GetName() {
			case "mkio_bridge_api_budget_granted_total":
				if m.GetLabel()[0].GetValue() != "aurora-vod" || m.GetCounter().GetValue() != requests {
					t.Errorf("granted: %v", m)
				}
			case "mkio_bridge_api_budget_wait_seconds":
				// The first is granted at once, the others when 950 a minute allow them.
				for _, m := range family.GetMetric() {
					if waited := m.GetHistogram().GetSampleSum(); m.GetLabel()[0].GetValue() == "sweeps" && math.Abs(waited-(requests-1)*60/950.0) > 0.01 {
						t.Errorf("waited: %v", m)
					}
				}
			case "mkio_bridge_api_request_duration_seconds":
				if m.GetHistogram().GetSampleCount() != requests {
					t.Errorf("durations: %v", m)
				}
			default:
				found--
			}
		}
		if found != 3 {
			t.Errorf("%d of the three are there", found)
		}
	})
}
