// Package stack runs a product on real engines that are there for one benchmark alone: a node of each engine, the product's roles as
// processes of their own, or a rival's, on loopback. It ends and removes all that it started.
package stack
