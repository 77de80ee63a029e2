package clock

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAdvanceFiresTimersThatBecameDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMovable(Machine)
		start := m.Now()
		week, year := m.NewTimer(7*24*time.Hour), m.NewTimer(365*24*time.Hour)
		defer week.Stop()
		defer year.Stop()

		m.Advance(8 * 24 * time.Hour)
		<-week.C()
		require.Equal(t, 8*24*time.Hour, m.Now().Sub(start))
		select {
		case <-year.C():
			t.Fatal("a timer ticked before its time")
		default:
		}
	})
}

func TestAdvanceDoesNotTickATimerTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMovable(Machine)
		timer := m.NewTimer(time.Second)
		defer timer.Stop()
		m.Advance(time.Minute)
		<-timer.C()
		m.Advance(time.Minute)
		synctest.Wait()
		select {
		case <-timer.C():
			t.Fatal("a timer that has ticked ticked again")
		default:
		}
	})
}

func TestResetOfATickedTimerFollowsTheMovedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMovable(Machine)
		timer := m.NewTimer(0)
		defer timer.Stop()
		<-timer.C()
		timer.Reset(time.Hour)
		m.Advance(time.Hour)
		<-timer.C()
		require.False(t, timer.Stop())
	})
}

func TestSleepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := WithTimeout(context.Background(), time.Second)
		defer cancel()
		require.ErrorIs(t, Sleep(ctx, Machine, time.Hour), context.DeadlineExceeded)
		require.NoError(t, Sleep(context.Background(), Machine, time.Hour))
	})
}
