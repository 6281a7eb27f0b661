package cart

const Spread = spread
