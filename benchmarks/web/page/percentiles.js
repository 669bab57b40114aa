// Percentiles as numpy's `quantile` interpolates them, so that the live figures are the kept ones.
self.percentiles = (times, shares = [0.5, 0.9, 0.99]) => {
  const sorted = Float64Array.from(times).sort();
  return shares.map((share) => {
    const place = share * (sorted.length - 1);
    const below = Math.floor(place);
    const above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
  });
};
