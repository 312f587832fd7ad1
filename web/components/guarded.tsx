/** Shows `instead` when a part below it breaks, so that the rest of the page stays. */
import { Component, type ReactNode } from "react";

export class Guarded extends Component<{ children: ReactNode; instead: (error: Error) => ReactNode }> {
  override state: { error?: Error } = {};

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    return this.state.error ? this.props.instead(this.state.error) : this.props.children;
  }
}
